import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BgpNode, BgpPlan, type BgpPlanInput, type NodeRouting } from './bgp-plan.ts'
import { type BgpSettings, defaultBgpSettings } from './bgp-settings.ts'

type Bgp = Extract<NodeRouting, { readonly mode: 'bgp' }>

const node = (index: number, labels: Readonly<Record<string, string>> = {}): BgpNode => ({
  ...{ name: `n${index}`, address: `10.0.${index >> 8}.${index & 255}`, labels, joinedAt: index },
})
const nodesOf = (count: number): BgpNode[] => Array.from({ length: count }, (_, index) => node(index + 1))
const planOf = (nodes: readonly BgpNode[], settings: Partial<BgpSettings> = {}, peers: BgpPlanInput['peers'] = []) =>
  new BgpPlan({ mode: 'bgp', settings: { ...defaultBgpSettings, ...settings }, peers, nodes })
const routingOf = (plan: BgpPlan, name: string): Bgp => plan.of(name) as Bgp
const namesOf = (plan: BgpPlan, name: string): string[] => routingOf(plan, name).sessions.map((each) => each.name)

const labels = fc.record(
  { site: fc.constantFrom('paris', 'rome', 'oslo'), 'route-reflector': fc.constantFrom('true', 'false') },
  { requiredKeys: [] },
)
const nodes = fc
  .uniqueArray(fc.record({ index: fc.integer({ min: 1, max: 500 }), joinedAt: fc.nat(20), labels }), {
    ...{ selector: ({ index }) => index, minLength: 1, maxLength: 25 },
  })
  .map((all) =>
    all.map(({ index, joinedAt, labels }) => ({ ...node(index, labels as Record<string, string>), joinedAt })),
  )
const settings = fc.record({
  as: fc.constant(64_512),
  sites: fc.dictionary(fc.constantFrom('paris', 'rome', 'oslo', ''), fc.integer({ min: 64_512, max: 64_515 })),
  meshUpTo: fc.integer({ min: 2, max: 25 }),
  reflectors: fc.integer({ min: 1, max: 3 }),
})

/** Who learns the block of `origin`, by BGP's rules: only reflectors pass on, and nobody takes a path that has its own AS number in it. */
function learners(plan: BgpPlan, origin: string, down: ReadonlySet<string>): Set<string> {
  const known = new Map<string, readonly number[]>([[origin, []]])
  for (const [name, path] of known) {
    const { as, reflects, sessions } = routingOf(plan, name)
    if (name !== origin && !reflects) continue
    for (const { name: other, as: theirs } of sessions) {
      const told = theirs === as ? path : [as, ...path]
      if (!known.has(other) && !down.has(other) && !told.includes(theirs)) known.set(other, told)
    }
  }
  return new Set(known.keys())
}

describe('who speaks with whom', () => {
  it('is the same at both ends, and nobody speaks with itself or twice', () => {
    fc.assert(
      fc.property(nodes, settings, (all, given) => {
        const plan = planOf(all, given)
        for (const { name, address } of all) {
          const { as, sessions } = routingOf(plan, name)
          expect(new Set(sessions.map((each) => each.name)).size).toBe(sessions.length)
          for (const session of sessions) {
            expect(session.name).not.toBe(name)
            const back = routingOf(plan, session.name)
            expect(back.as).toBe(session.as)
            expect(back.sessions).toContainEqual({ with: 'node', name, address, as })
          }
        }
      }),
    )
  })

  it('lets every node learn every block', () => {
    fc.assert(
      fc.property(nodes, settings, (all, given) => {
        const plan = planOf(all, given)
        for (const { name } of all) expect(learners(plan, name, new Set()).size).toBe(all.length)
      }),
      { numRuns: 300 },
    )
  })

  it('lets every other node learn every block while a reflector of a site that has another is down', () => {
    fc.assert(
      fc.property(nodes, settings, fc.nat(), (all, given, which) => {
        const plan = planOf(all, given)
        const spare = Object.values(plan.reflectors)
          .filter((site) => site.length > 1)
          .flat()
        const down = spare[which % Math.max(1, spare.length)]
        if (down === undefined) return
        for (const { name } of all) {
          if (name !== down) expect(learners(plan, name, new Set([down])).size).toBe(all.length - 1)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('does not depend on the order in which nodes are given', () => {
    fc.assert(
      fc.property(nodes, settings, (all, given) => {
        const [plan, other] = [planOf(all, given), planOf(all.toReversed(), given)]
        for (const { name } of all) expect(other.of(name)).toEqual(plan.of(name))
      }),
    )
  })

  it('displaces no reflector when a node joins, unless it is labelled', () => {
    fc.assert(
      fc.property(nodes, settings, fc.constantFrom('paris', 'rome', ''), (all, given, site) => {
        const late = { ...node(999, site === '' ? {} : { site }), joinedAt: 1_000 }
        const [before, after] = [planOf(all, given).reflectors, planOf([...all, late], given).reflectors]
        for (const [place, names] of Object.entries(before)) {
          // Where all were labelled to be none, the first that is not is the only one willing.
          const reluctant = all.filter((each) => (each.labels.site ?? '') === place)
          if (reluctant.every((each) => each.labels['route-reflector'] === 'false')) continue
          for (const name of names) expect(after[place]).toContain(name)
        }
      }),
    )
  })

  it('is a mesh up to the size that was set, and few sessions above it', () => {
    const [small, large] = [planOf(nodesOf(50)), planOf(nodesOf(51))]
    expect([small.isMesh, large.isMesh]).toEqual([true, false])
    expect(namesOf(small, 'n40')).toHaveLength(49)
    expect(namesOf(large, 'n40')).toEqual(['n1', 'n2'])
    expect(namesOf(large, 'n1')).toHaveLength(50)
  })

  it('keeps all that stay as they were when a mesh becomes too large', () => {
    const [small, large] = [planOf(nodesOf(50)), planOf(nodesOf(51))]
    for (const { name } of nodesOf(50)) {
      const before = routingOf(small, name)
      const after = routingOf(large, name)
      expect(after.reflects).toBe(before.reflects)
      for (const each of after.sessions) if (each.name !== 'n51') expect(before.sessions).toContainEqual(each)
    }
  })

  it('takes the nodes that are labelled as reflectors, and none that are labelled not to be', () => {
    const labelled = nodesOf(5).map((each) =>
      each.name === 'n4' ? { ...each, labels: { 'route-reflector': 'true' } } : each,
    )
    expect(planOf(labelled).reflectors).toEqual({ '': ['n4'] })
    const spared = nodesOf(5).map((each) =>
      each.name === 'n1' ? { ...each, labels: { 'route-reflector': 'false' } } : each,
    )
    expect(planOf(spared).reflectors).toEqual({ '': ['n2', 'n3'] })
  })

  it('gives a site its AS number', () => {
    const plan = planOf([node(1, { site: 'paris' }), node(2, { site: 'rome' }), node(3)], { sites: { paris: 64_601 } })
    expect(routingOf(plan, 'n1').as).toBe(64_601)
    expect(routingOf(plan, 'n2')).toMatchObject({ as: 64_512 })
    expect(routingOf(plan, 'n2').sessions).toContainEqual({ with: 'node', name: 'n1', address: '10.0.0.1', as: 64_601 })
  })

  it('has routers speak with all nodes, or with those that bear a label', () => {
    const peers = [
      { name: 'core', address: '10.9.0.1', as: 65_000, password: 'p' },
      { name: 'top', address: '10.9.0.2', as: 65_001, label: { name: 'rack', value: 'r7' } },
    ]
    const plan = planOf([node(1, { rack: 'r7' }), node(2, { rack: 'r8' })], {}, peers)
    expect(namesOf(plan, 'n1')).toEqual(['n2', 'core', 'top'])
    expect(namesOf(plan, 'n2')).toEqual(['n1', 'core'])
    expect(routingOf(plan, 'n2').sessions[1]).toEqual({
      with: 'peer',
      name: 'core',
      address: '10.9.0.1',
      as: 65_000,
      password: 'p',
    })
  })

  it('leaves out a node without an IPv4 address, and says so', () => {
    const plan = planOf([node(1), { ...node(2), address: 'fd00::2' }, node(3)])
    expect(plan.without).toEqual(['n2'])
    expect(plan.of('n2')).toBeUndefined()
    expect(namesOf(plan, 'n1')).toEqual(['n3'])
  })

  it('says that routes are static where they are', () => {
    const plan = new BgpPlan({ mode: 'static', settings: defaultBgpSettings, peers: [], nodes: nodesOf(3) })
    expect(plan.of('n1')).toEqual({ mode: 'static' })
  })
})
