import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type FlatAddress,
  type FlatFacts,
  type FlatRoute,
  isMoved,
  moveLines,
  returnLines,
  shapeOf,
} from './flat-plan.ts'

interface World {
  bridge: boolean
  master: string | undefined
  readonly addresses: Map<string, { local: string; prefixlen: number; dev: string }>
  routes: FlatRoute[]
}

/** What the kernel makes of a line, as far as it matters: with the first address of a link all others go, and with the last one its routes. */
function apply(world: World, line: string): void {
  const words = line.split(' ')
  const after = (word: string): string => words[words.indexOf(word) + 1] ?? ''
  const dev = after('dev')
  if (dev === 'flat-eth1' && !world.bridge) throw new Error(`no bridge: ${line}`)
  if (line.startsWith('link add')) world.bridge = true
  else if (line.startsWith('link delete')) {
    world.bridge = false
    for (const [key, each] of world.addresses) if (each.dev === dev) world.addresses.delete(key)
    world.routes = world.routes.filter((route) => route.dev !== dev)
  } else if (words.includes('master')) world.master = after('master')
  else if (words.includes('nomaster')) world.master = undefined
  else if (words[0] === 'address') {
    const [local = '', prefix] = (words[2] ?? '').split('/')
    const key = `${local} ${dev}`
    if (words[1] === 'replace') world.addresses.set(key, { local, prefixlen: Number(prefix), dev })
    else {
      const same = [...world.addresses.values()].filter((each) => each.dev === dev)
      if (!world.addresses.delete(key)) throw new Error(`no such address: ${line}`)
      if (same[0]?.local === local) for (const each of same) world.addresses.delete(`${each.local} ${dev}`)
      const isLast = ![...world.addresses.values()].some((each) => each.dev === dev)
      const lost = (route: FlatRoute) => route.dev === dev && (isLast || route.prefsrc === local)
      world.routes = world.routes.filter((route) => !lost(route))
    }
  } else if (words[0] === 'route') {
    const dst = words[2] ?? ''
    const metric = words.includes('metric') ? Number(after('metric')) : undefined
    const rest = world.routes.filter((route) => route.dst !== dst || route.metric !== metric)
    const optional = (word: string, name: string) => (words.includes(word) ? { [name]: after(word) } : {})
    const named = { ...optional('via', 'gateway'), ...optional('proto', 'protocol'), ...optional('src', 'prefsrc') }
    world.routes = [...rest, { dst, dev, ...named, ...(metric === undefined ? {} : { metric }) }]
  }
}

const linkOf = (world: World, dev: string): { mac: string; mtu: number; addresses: readonly FlatAddress[] } => ({
  ...{ mac: '02:00:00:00:00:01', mtu: 1500 },
  addresses: [...world.addresses.values()]
    .filter((each) => each.dev === dev)
    .map(({ local, prefixlen }) => ({ local, prefixlen })),
})
const factsOf = (world: World): FlatFacts => ({
  link: { ...linkOf(world, 'eth1'), ...(world.master === undefined ? {} : { master: world.master }) },
  ...(world.bridge ? { bridge: linkOf(world, 'flat-eth1') } : {}),
  routes: world.routes,
})
const copyOf = (world: World): World => ({ ...world, addresses: new Map(world.addresses), routes: [...world.routes] })
const seen = (world: World) => ({
  ...{ bridge: world.bridge, master: world.master, addresses: [...world.addresses.values()].sort(byText) },
  routes: world.routes.toSorted(byText),
})
const byText = (a: object, b: object): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

const someWorld = fc
  .record({
    hosts: fc.uniqueArray(fc.integer({ min: 2, max: 60 }), { minLength: 1, maxLength: 4 }),
    routes: fc.uniqueArray(fc.constantFrom('default', '10.1.0.0/16', '10.2.0.0/16', '192.0.2.1'), { maxLength: 4 }),
    others: fc.boolean(),
  })
  .map(({ hosts, routes, others }): World => {
    const addresses = hosts.map((host) => ({ local: `192.168.7.${host}`, prefixlen: 24, dev: 'eth1' }))
    const [{ local: prefsrc = '' } = {}] = addresses
    const ours = routes.map((dst, index) => ({
      ...{ dst, dev: 'eth1', metric: index, gateway: '192.168.7.1' },
      ...(index === 0 ? { prefsrc } : { protocol: '77' }),
    }))
    const elsewhere = others ? [{ dst: '10.77.2.0/24', dev: 'eth0', metric: 0 }] : []
    return {
      ...{ bridge: false, master: undefined, routes: [...ours, ...elsewhere] },
      addresses: new Map(addresses.map((each) => [`${each.local} eth1`, each])),
    }
  })

describe('the addresses of an interface', () => {
  it('move to a bridge with all routes, and back', () => {
    fc.assert(
      fc.property(someWorld, (start) => {
        const world = copyOf(start)
        for (const line of moveLines('eth1', 'flat-eth1', factsOf(world))) apply(world, line)
        expect(isMoved(factsOf(world), 'flat-eth1')).toBe(true)
        const moved = <T extends { readonly dev?: string }>(each: T): T =>
          each.dev === 'eth1' ? { ...each, dev: 'flat-eth1' } : each
        expect(seen(world)).toEqual({
          ...{ bridge: true, master: 'flat-eth1' },
          addresses: [...start.addresses.values()].map(moved).sort(byText),
          routes: start.routes.map(moved).sort(byText),
        })
        // Once more: nothing is lost by that.
        const again = copyOf(world)
        for (const line of moveLines('eth1', 'flat-eth1', factsOf(again))) apply(again, line)
        expect(seen(again)).toEqual(seen(world))
        for (const line of returnLines('eth1', 'flat-eth1', shapeOf(factsOf(world), ['eth1', 'flat-eth1'])))
          apply(world, line)
        expect(seen(world)).toEqual(seen(start))
      }),
    )
  })

  it('come back from wherever the move has broken off', () => {
    fc.assert(
      fc.property(someWorld, fc.nat(40), (start, count) => {
        const world = copyOf(start)
        const before = shapeOf(factsOf(world), ['eth1', 'flat-eth1'])
        for (const line of moveLines('eth1', 'flat-eth1', factsOf(world)).slice(0, count)) apply(world, line)
        for (const line of returnLines('eth1', 'flat-eth1', before)) {
          // As with -force.
          try {
            apply(world, line)
          } catch {}
        }
        expect(seen(world)).toEqual(seen(start))
      }),
    )
  })
})
