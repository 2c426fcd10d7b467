import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NameEntry, NameTable, NetworkConfig } from '../model/assignment.ts'
import { answerName } from './dns-answers.ts'
import type { NameAnswer, NameQuestionType } from './name-answer.ts'
import { indexNames } from './name-index.ts'

const http = { name: 'http', port: 8080, protocol: 'tcp' } as const

function entry(instance: string, address: string, over: Partial<NameEntry> = {}): NameEntry {
  const [app = '', pool = '', label = ''] = instance.split('.')
  return { app, pool, entrypoint: label.replace(/-\d+$/, ''), instance, address, ports: [http], ...over }
}

const table: NameTable = {
  version: 1,
  entries: [
    entry('shop.production.web-1', '10.77.1.2', { site: 'bj', tags: ['canary'] }),
    entry('shop.production.web-2', '10.77.2.2', { site: 'sh' }),
    entry('shop.production.worker-3', '10.77.1.3', { ports: [] }),
    entry('a-b.c.web-1', '10.77.1.8'),
  ],
  apps: [
    { app: 'shop', entrypoints: ['web', 'worker'], pools: ['production', 'empty'] },
    { app: 'a-b', entrypoints: ['web'], pools: ['c'] },
    { app: 'a', entrypoints: ['web'], pools: ['b-c'] },
  ],
  externals: [
    {
      ...{ name: 'mysql.shop', addresses: ['192.0.2.7'], addresses6: ['2001:db8::7'] },
      ports: [{ name: 'mysql', port: 3306, protocol: 'tcp' }],
    },
  ],
  services: [
    { service: 'legacy', address: '10.0.0.9', port: 80, tags: ['old'] },
    { service: 'legacy', address: 'legacy.example', port: 80, tags: [] },
    { service: 'shop-production', address: '10.0.0.66', port: 80, tags: [] },
  ],
}
const network = {
  ...{ pool: '10.77.0.0/16', domain: 'berth', defaultPool: 'production', site: 'sh' },
  consul: { domain: 'consul', node: 'h1', address: '10.0.0.1' },
  peers: [{ node: 'h2', block: '10.77.2.0/24', via: '10.0.0.2' }],
} satisfies Partial<NetworkConfig>
const index = indexNames(table, network)

const ask = (name: string, type: NameQuestionType = 'A'): NameAnswer => answerName(index, { name, type }, undefined)
const empty = { kind: 'empty', zone: 'consul' }
const unknown = { kind: 'unknown', zone: 'consul' }

describe('Consul’s names', () => {
  it.each<[string, readonly string[], number | undefined]>([
    ['shop-production.service.consul', ['10.77.2.2', '10.77.1.2'], 1],
    ['shop-production.service.berth.consul', ['10.77.2.2', '10.77.1.2'], 1],
    ['shop-production.service.bj.consul', ['10.77.1.2'], undefined],
    ['canary.shop-production.service.consul', ['10.77.1.2'], undefined],
    ['production.shop-production.service.consul', ['10.77.2.2', '10.77.1.2'], 1],
    ['shop-production-worker.service.consul', ['10.77.1.3'], undefined],
    ['mysql-shop.service.consul', ['192.0.2.7'], undefined],
    ['old.legacy.service.consul', ['10.0.0.9'], undefined],
    ['h1.node.consul', ['10.0.0.1'], undefined],
    ['h2.node.bj.consul', ['10.0.0.2'], undefined],
    ['0a000009.addr.consul', ['10.0.0.9'], undefined],
  ])('%s is %j', (name, addresses, near) => {
    expect(ask(name)).toEqual({ kind: 'addresses', addresses, ...(near === undefined ? {} : { near }) })
  })

  it('have ports by SRV, by both forms of the name', () => {
    const services = [
      { name: 'web-2.production.shop.berth', addresses: ['10.77.2.2'], port: 8080 },
      { name: 'web-1.production.shop.berth', addresses: ['10.77.1.2'], port: 8080, isFar: true },
    ]
    for (const name of ['shop-production.service.consul', '_shop-production._tcp.service.consul'])
      expect(ask(name, 'SRV')).toEqual({ kind: 'services', services })
    expect(ask('_shop-production._canary.service.consul', 'SRV')).toMatchObject({ services: [{ port: 8080 }] })
    expect(ask('mysql-shop.service.consul', 'SRV')).toEqual({
      kind: 'services',
      services: [
        { name: 'c0000207.addr.consul', addresses: ['192.0.2.7'], port: 3306 },
        { name: '20010db8000000000000000000000007.addr.consul', addresses: ['2001:db8::7'], port: 3306 },
      ],
    })
    expect(ask('20010db8000000000000000000000007.addr.consul', 'AAAA')).toMatchObject({ addresses: ['2001:db8::7'] })
  })

  it.each<[string, NameAnswer]>([
    ['consul', { kind: 'empty', zone: 'consul' }],
    ['shop-empty.service.consul', empty as NameAnswer],
    ['nothing.service.consul', unknown as NameAnswer],
    ['other.shop-production.service.consul', unknown as NameAnswer],
    ['shop-production.service.mars.consul', unknown as NameAnswer],
    ['shop-production.consul', unknown as NameAnswer],
    ['service.consul', unknown as NameAnswer],
    ['h9.node.consul', unknown as NameAnswer],
    ['a-b-c.service.consul', unknown as NameAnswer],
    ['shop-production.service.consul.example', { kind: 'elsewhere' }],
  ])('%s is %j', (name, answer) => {
    expect(ask(name)).toEqual(answer)
  })

  it('are somebody else’s where nobody asked for them', () => {
    const { consul: _, ...without } = network
    const other = indexNames(table, without)
    expect(answerName(other, { name: 'shop-production.service.consul', type: 'A' }, undefined)).toEqual({
      kind: 'elsewhere',
    })
  })

  it('are never answered with what is not of the service, whatever is asked', () => {
    const label = fc.constantFrom(
      'shop-production',
      'service',
      'node',
      'addr',
      '_tcp',
      '_web',
      'web',
      'bj',
      'berth',
      'x',
      'h1',
    )
    const known = ['10.77.1.2', '10.77.2.2', '10.0.0.1']
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 5 }), (labels) => {
        const answer = ask(`${labels.join('.')}.consul`)
        if (answer.kind === 'addresses') expect(known).toEqual(expect.arrayContaining([...answer.addresses]))
        else expect(['empty', 'unknown']).toContain(answer.kind)
      }),
    )
  })
})
