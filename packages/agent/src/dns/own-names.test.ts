import type { NameEntry } from '@berth/core'
import dnsPacket from 'dns-packet'
import { describe, expect, it } from 'vitest'
import { readQuery } from './message.ts'
import type { NetdState } from './netd-state.ts'
import { OwnNames } from './own-names.ts'

const entry = (app: string, pool: string, n: number, address: string): NameEntry => ({
  app,
  pool,
  entrypoint: 'web',
  instance: `${app}.${pool}.web-${n}`,
  address,
  ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
})

const range = (count: number, make: (n: number) => NameEntry): NameEntry[] =>
  Array.from({ length: count }, (_, n) => make(n))

const state: NetdState = {
  names: {
    version: 42,
    entries: [
      ...range(3, (n) => entry('shop', 'production', n, `10.77.1.${n + 2}`)),
      entry('shop', 'staging', 0, '10.77.2.2'),
      ...range(200, (n) => entry('large', 'production', n, `10.77.3.${n + 2}`)),
    ],
  },
  network: { pool: '10.77.0.0/16', block: '10.77.1.0/24', peers: [], domain: 'berth', defaultPool: 'production' },
  instances: [{ instance: 'shop.staging.web-9', app: 'shop', pool: 'staging', address: '10.77.1.99' }],
}

interface Asked extends Pick<dnsPacket.Packet, 'additionals' | 'flags'> {
  readonly from?: string
  readonly limit?: number
  readonly class?: string
}

/** The answer as others read it; undefined when there is none. */
function ask(names: OwnNames, name: string, type: string, asked: Asked = {}): dnsPacket.DecodedPacket | undefined {
  const { from = '10.77.1.2', limit, ...rest } = asked
  const questions = [{ name, type, class: asked.class ?? 'IN' }] as never
  const result = readQuery(dnsPacket.encode({ type: 'query', id: 7, ...rest, questions }))
  if (result.kind !== 'query') throw new Error(`read as ${result.kind}`)
  const answer = names.answer(result.query, from, limit ?? result.query.udpBytes)
  if (answer === undefined) return undefined
  if ('target' in answer) throw new Error(`leads to ${answer.target}`)
  expect(answer.length).toBeLessThanOrEqual(limit ?? result.query.udpBytes)
  return dnsPacket.decode(answer)
}

const dataOf = (packet: dnsPacket.DecodedPacket | undefined): unknown[] =>
  (packet?.answers ?? []).map((answer) => ('data' in answer ? answer.data : undefined))

const edns = (size: number): never[] => [
  { type: 'OPT', name: '.', udpPayloadSize: size, flags: 0, options: [] } as never,
]

describe('Consul’s names', () => {
  const consul = { domain: 'consul', node: 'h1', address: '10.0.0.1' }
  const names = new OwnNames({ ...state, network: { ...state.network, consul } })

  it('are answered with addresses, and with ports of names of Berth’s own', () => {
    expect(dataOf(ask(names, 'web.shop-production.service.consul', 'A')).sort()).toEqual([
      ...['10.77.1.2', '10.77.1.3', '10.77.1.4'],
    ])
    expect(dataOf(ask(names, '_shop-staging._tcp.service.consul', 'SRV'))).toMatchObject([
      { port: 8080, target: 'web-0.staging.shop.berth' },
    ])
    expect(dataOf(ask(names, 'h1.node.consul', 'A'))).toEqual(['10.0.0.1'])
  })

  it('that are none are denied under their own domain, and left to others where nobody asked for them', () => {
    const denied = ask(names, 'nothing.service.consul', 'A')
    expect(denied).toMatchObject({ rcode: 'NXDOMAIN', authorities: [{ type: 'SOA', name: 'consul' }] })
    expect(ask(new OwnNames(state), 'shop-production.service.consul', 'A')).toBeUndefined()
  })
})

describe('answers', () => {
  it('repeats id and question as spelled, says whose answer it is, and lives for a second', () => {
    const answer = ask(new OwnNames(state), 'Web.sHop.berth', 'A', { flags: dnsPacket.RECURSION_DESIRED })
    expect(answer).toMatchObject({
      id: 7,
      rcode: 'NOERROR',
      flag_aa: true,
      flag_rd: true,
      flag_ra: true,
      flag_tc: false,
    })
    expect(answer?.questions).toEqual([{ name: 'Web.sHop.berth', type: 'A', class: 'IN' }])
    expect(answer?.answers?.map((each) => ('ttl' in each ? each.ttl : undefined))).toEqual([1, 1, 1])
  })

  it.each([
    ['10.77.1.2', ['10.77.1.2', '10.77.1.3', '10.77.1.4']],
    ['10.77.2.2', ['10.77.2.2']],
    ['10.77.1.99', ['10.77.2.2']],
    ['127.0.0.1', ['10.77.1.2', '10.77.1.3', '10.77.1.4']],
  ])('asked from %s', (from, addresses) => {
    expect(dataOf(ask(new OwnNames(state), 'web.shop.berth', 'A', { from })).sort()).toEqual(addresses)
  })

  it('puts every address first in its turn, also when AAAA is asked in between', () => {
    const names = new OwnNames(state)
    const firsts = Array.from({ length: 6 }, () => {
      expect(dataOf(ask(names, 'web.shop.berth', 'AAAA'))).toEqual([])
      return dataOf(ask(names, 'web.shop.berth', 'A'))[0]
    })
    expect(firsts.slice(3)).toEqual(firsts.slice(0, 3))
    expect(new Set(firsts).size).toBe(3)
  })

  it.each(['AAAA', 'MX', 'TXT', 'HTTPS', 'NS'])('has nothing of type %s, and says so for a second', (type) => {
    const answer = ask(new OwnNames(state), 'web.shop.berth', type)
    expect(answer).toMatchObject({ rcode: 'NOERROR', answers: [] })
    expect(answer?.authorities).toMatchObject([
      { type: 'SOA', name: 'berth', ttl: 1, data: { serial: 42, minimum: 1 } },
    ])
  })

  it('knows that a name does not exist, for a second', () => {
    expect(ask(new OwnNames(state), 'nobody.berth', 'A')).toMatchObject({
      rcode: 'NXDOMAIN',
      authorities: [{ type: 'SOA', data: { minimum: 1 } }],
    })
  })

  it('gives services with their addresses', () => {
    const answer = ask(new OwnNames(state), '_http._tcp.web.shop.berth', 'SRV')
    expect(dataOf(answer)).toContainEqual({ priority: 0, weight: 1, port: 8080, target: 'web-1.production.shop.berth' })
    expect(answer?.additionals).toContainEqual(
      expect.objectContaining({ name: 'web-1.production.shop.berth', type: 'A', data: '10.77.1.3' }),
    )
  })

  it('gives names of addresses', () => {
    expect(dataOf(ask(new OwnNames(state), '3.1.77.10.in-addr.arpa', 'PTR'))).toEqual(['web-1.production.shop.berth'])
  })

  it('answers for the domain itself', () => {
    expect(ask(new OwnNames(state), 'berth', 'SOA')?.answers).toMatchObject([{ type: 'SOA', name: 'berth' }])
    expect(ask(new OwnNames(state), 'berth', 'A')).toMatchObject({ rcode: 'NOERROR', answers: [] })
  })

  it.each([
    ['AXFR', 'IN'],
    ['A', 'CH'],
  ])('refuses %s of class %s', (type, recordClass) => {
    expect(ask(new OwnNames(state), 'berth', type, { class: recordClass })).toMatchObject({ rcode: 'REFUSED' })
  })

  it.each(['example.com', '4.3.2.1.in-addr.arpa', 'localhost'])('leaves %s to others', (name) => {
    expect(ask(new OwnNames(state), name, 'A')).toBeUndefined()
  })
})

describe('answers that do not fit', () => {
  it('are cut at a record and marked, and whole by TCP', () => {
    const names = new OwnNames(state)
    const cut = ask(names, 'web.large.berth', 'A')
    expect(cut?.flag_tc).toBe(true)
    expect(dataOf(cut)).toHaveLength(Math.floor((512 - 12 - 21) / 16))
    const whole = ask(names, 'web.large.berth', 'A', { limit: 65_535 })
    expect(whole?.flag_tc).toBe(false)
    expect(new Set(dataOf(whole)).size).toBe(200)
  })

  it('are longer for those who take more', () => {
    const answer = ask(new OwnNames(state), 'web.large.berth', 'A', { additionals: edns(4096) })
    expect(dataOf(answer)).toHaveLength(Math.floor((1232 - 12 - 21 - 11) / 16))
    expect(answer?.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }])
  })

  it('show every address in time', () => {
    const names = new OwnNames(state)
    const seen = new Set<unknown>()
    for (let i = 0; i < 200; i++) for (const address of dataOf(ask(names, 'web.large.berth', 'A'))) seen.add(address)
    expect(seen.size).toBe(200)
  })

  it('lose additional records first, without a mark', () => {
    const answer = ask(new OwnNames(state), '_http._tcp.web.shop.berth', 'SRV', { limit: 220 })
    expect(answer).toMatchObject({ flag_tc: false, additionals: [] })
    expect(dataOf(answer)).toHaveLength(3)
  })
})

describe('without a state', () => {
  it.each<[string, Partial<NetdState>]>([
    ['nothing is known', {}],
    ['only the names are known', { names: state.names }],
    ['only the network is known', { network: state.network }],
  ])('%s: own names fail, so that they are asked again, and others are left to others', (_, partial) => {
    const names = new OwnNames(partial)
    expect(ask(names, 'web.shop.berth', 'A')).toMatchObject({ rcode: 'SERVFAIL' })
    expect(ask(names, 'example.com', 'A')).toBeUndefined()
  })
})

it('forgets what it decided when names are asked at random, and goes on', () => {
  const names = new OwnNames(state)
  for (let i = 0; i < 45_000; i++) {
    const query = readQuery(dnsPacket.encode({ type: 'query', questions: [{ name: `n${i}.berth`, type: 'A' }] }))
    if (query.kind === 'query') names.answer(query.query, '10.77.1.2', 512)
  }
  expect(dataOf(ask(names, 'web.shop.berth', 'A'))).toHaveLength(3)
})

it('answers with those of its own site first, each of them in turn, and with the others behind them in turn', () => {
  const at = (n: number, site: string): NameEntry => ({ ...entry('shop', 'production', n, `10.77.1.${n}`), site })
  const entries = [at(1, 'eu'), at(2, 'us'), at(3, 'us'), at(4, 'eu'), at(5, 'eu')]
  const names = new OwnNames({ ...state, names: { version: 1, entries }, network: { ...state.network, site: 'us' } })
  const answers = Array.from({ length: 6 }, () => dataOf(ask(names, 'web.shop.berth', 'A')))
  for (const answer of answers) {
    expect(new Set(answer)).toEqual(new Set(entries.map(({ address }) => address)))
    expect(new Set(answer.slice(0, 2))).toEqual(new Set(['10.77.1.2', '10.77.1.3']))
  }
  expect(new Set(answers.map(([first]) => first))).toEqual(new Set(['10.77.1.2', '10.77.1.3']))
  expect(new Set(answers.map((answer) => answer[2]))).toEqual(new Set(['10.77.1.1', '10.77.1.4', '10.77.1.5']))
  // What does not fit is left out from behind.
  for (let turn = 0; turn < 6; turn++) {
    const cut = dataOf(ask(names, 'web.shop.berth', 'A', { limit: 32 + 3 * 16 }))
    expect(cut).toHaveLength(3)
    expect(new Set(cut.slice(0, 2))).toEqual(new Set(['10.77.1.2', '10.77.1.3']))
  }
  const services = ask(names, '_http._tcp.web.shop.berth', 'SRV', { limit: 4096 })
  expect(services?.answers?.map((each) => each.type === 'SRV' && each.data.priority).toSorted()).toEqual([
    0, 0, 1, 1, 1,
  ])
})

it('writes addresses of IPv6', () => {
  const twins = [{ range: '10.77.0.0/16', ipv6: 'fd77:1::/64' }]
  const names = new OwnNames({ ...state, network: { ...state.network, twins } })
  expect(dataOf(ask(names, 'web.shop.berth', 'AAAA')).toSorted()).toEqual([
    ...['fd77:1::a4d:102', 'fd77:1::a4d:103', 'fd77:1::a4d:104'],
  ])
  const services = ask(names, '_http._tcp.web.staging.shop.berth', 'SRV')
  expect(services?.additionals?.flatMap((each) => ('data' in each ? [each.data] : []))).toEqual([
    ...['10.77.2.2', 'fd77:1::a4d:202'],
  ])
  expect(dataOf(ask(names, `${'2.0.1.0.d.4.a.0'}.${'0.'.repeat(16)}1.0.0.0.7.7.d.f.ip6.arpa`, 'PTR'))).toEqual([
    'web-0.production.shop.berth',
  ])
  // Without IPv6 there is no answer of that type, and the name is there.
  expect(ask(new OwnNames(state), 'web.shop.berth', 'AAAA')).toMatchObject({ rcode: 'NOERROR', answers: [] })
})
