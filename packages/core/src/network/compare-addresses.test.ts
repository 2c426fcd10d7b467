import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defaultAddressPool } from './address-pool.ts'
import type { AddressReport, ContainerAddress } from './address-report.ts'
import { type AddressBooks, type AddressClaim, compareAddresses, findingKey } from './compare-addresses.ts'

const pools = [defaultAddressPool('10.77.0.0/16')]
const claim = (n: number, node = 'a', isRunning = true): AddressClaim => ({
  ...{ address: `10.77.1.${n}`, instance: `shop.production.web-${n}`, node, isRunning },
})
const container = (n: number, more: Partial<ContainerAddress> = {}): ContainerAddress => ({
  ...{ id: `c${n}`, name: `shop.production.web-${n}`, instance: `shop.production.web-${n}`, isRunning: true },
  ...{ address: `10.77.1.${n}`, createdAt: 1, ...more },
})
const report = (more: Partial<AddressReport> = {}): AddressReport => ({
  ...{ driver: 'routed', containers: [], left: [], unlinked: [], ...more },
})
const books = (claims: AddressClaim[], reports: Record<string, AddressReport>): AddressBooks => ({
  ...{ claims, nodes: new Set(['a', 'b']), pools, reports: new Map(Object.entries(reports)) },
})
const byHand = { name: 'mine', address: '10.77.1.9', createdAt: 1, isRunning: true, id: 'm' }
const dead = { kind: 'endpoint', name: 'shop.production.web-4', address: '10.77.1.4' } as const

describe('claims and nodes', () => {
  it.each<[string, AddressBooks, readonly (readonly [string, RegExp])[]]>([
    ['agree', books([claim(2), claim(3, 'b')], { a: report({ containers: [container(2)] }) }), []],
    ['agree on what starts and what has ended', books([claim(2, 'a', false)], { a: report() }), []],
    [
      'do not mind stopped containers that are kept for their logs',
      books([], { a: report({ containers: [container(2, { isRunning: false })] }) }),
      [],
    ],
    ['leave alone what is started by hand', books([claim(2, 'a', false)], { a: report({ containers: [byHand] }) }), []],
    [
      'miss a container',
      books([claim(2)], { a: report() }),
      [['not-there', /web-2 is said to run on a with 10\.77\.1\.2/]],
    ],
    ['miss nothing while Docker is silent', books([claim(2)], { a: report({ engineProblem: 'it is down' }) }), []],
    [
      'see another address',
      books([claim(2)], { a: report({ containers: [container(2, { address: '10.77.1.7' })] }) }),
      [['other-address', /has 10\.77\.1\.7, and the store has given it 10\.77\.1\.2/]],
    ],
    [
      'see an unknown instance',
      books([], { a: report({ containers: [container(2)] }) }),
      [['not-claimed', /knows of no such/]],
    ],
    [
      'see somebody else under an instance’s address',
      books([claim(9, 'a', false)], { a: report({ containers: [byHand] }) }),
      [['shared', /given to shop\.production\.web-9, and the container mine on a bears it/]],
    ],
    [
      'see two under one address, on two nodes',
      books([claim(2)], {
        a: report({ containers: [container(2)] }),
        b: report({ containers: [{ ...byHand, address: '10.77.1.2' }] }),
      }),
      [['shared', /borne by shop\.production\.web-2 on a and by the container mine on b/]],
    ],
    [
      'see an address given twice',
      books([claim(2, 'a', false), { ...claim(3, 'b', false), address: '10.77.1.2' }], {}),
      [['claimed-twice', /web-2 and to shop\.production\.web-3/]],
    ],
    ['see a node that is gone', books([claim(2, 'z', false)], {}), [['no-node', /which is no node any more/]]],
    [
      'see a pool that is gone',
      books([{ ...claim(2, 'a', false), address: '10.99.0.2' }], {}),
      [['no-pool', /in no address pool/]],
    ],
    [
      'see what is left over',
      books([], { a: report({ left: [dead] }) }),
      [['left', /endpoint shop\.production\.web-4 with 10\.77\.1\.4 on a belongs to no container/]],
    ],
    [
      'see a link that is gone',
      books([claim(2)], { a: report({ containers: [container(2)], unlinked: ['10.77.1.2'] }) }),
      [['unlinked', /restart its container/]],
    ],
  ])('%s', (_, input, wanted) => {
    const found = compareAddresses(input)
    expect(found.map(({ kind }) => kind)).toEqual(wanted.map(([kind]) => kind))
    for (const [index, [, text]] of wanted.entries()) expect(found[index]?.message).toMatch(text)
  })
})

/** Nodes whose containers are exactly what the store says, and whatever is started by hand beside. */
const worlds = fc.uniqueArray(
  fc.record({ n: fc.integer({ min: 2, max: 250 }), isOnB: fc.boolean(), isRunning: fc.boolean() }),
  {
    selector: ({ n }) => n,
    minLength: 1,
  },
)
const worldOf = (drawn: readonly { n: number; isOnB: boolean; isRunning: boolean }[]) => {
  const claims = drawn.map(({ n, isOnB, isRunning }) => claim(n, isOnB ? 'b' : 'a', isRunning))
  const of = (node: string) =>
    report({
      containers: claims
        .filter((each) => each.node === node && each.isRunning)
        .map((each) => container(Number(each.address.slice(8)))),
    })
  return { claims, reports: { a: of('a'), b: of('b') } }
}

it('finds nothing where nothing differs, whatever the order', () => {
  fc.assert(
    fc.property(worlds, fc.infiniteStream(fc.nat()), (drawn) => {
      const { claims, reports } = worldOf(drawn)
      expect(compareAddresses(books(claims, reports))).toEqual([])
      expect(compareAddresses(books(claims.toReversed(), reports))).toEqual([])
    }),
  )
})

it('finds exactly what was broken, and nothing else', () => {
  fc.assert(
    fc.property(worlds, fc.nat(), fc.constantFrom('claim', 'container', 'left'), (drawn, pick, what) => {
      const { claims, reports } = worldOf(drawn)
      const at = pick % claims.length
      const broken = claims[at]
      if (broken === undefined) throw new Error('there is one at least')
      const node = broken.node as 'a' | 'b'
      const containers = reports[node].containers
      const others = {
        ...reports,
        [node]: report({ containers: containers.filter(({ instance }) => instance !== broken.instance) }),
      }
      const left = { kind: 'endpoint', name: broken.instance, address: broken.address } as const
      const input =
        what === 'claim'
          ? books(claims.toSpliced(at, 1), reports)
          : what === 'container'
            ? books(claims, others)
            : books(claims, { ...reports, [node]: report({ containers, left: [left] }) })
      const wanted = { claim: ['not-claimed'], container: ['not-there'], left: ['left'] }[what]
      const found = compareAddresses(input)
      expect(found.map(({ kind }) => kind)).toEqual(broken.isRunning || what === 'left' ? wanted : [])
      for (const each of found) expect(each).toMatchObject({ node, address: broken.address })
      expect(new Set(found.map(findingKey)).size).toBe(found.length)
    }),
  )
})
