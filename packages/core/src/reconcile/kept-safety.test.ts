import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appSpec, entrypointSpec } from './pool-fixtures.testing.ts'
import type { PoolStep } from './pool-snapshot.ts'
import { rolloutLimits } from './rollout-limits.ts'
import { rollOutThrough, run } from './run-world.testing.ts'
import { PoolWorld } from './simulate.testing.ts'

type Limits = { readonly surge: number; readonly unavailable: number | { readonly percent: number } }
type Happening = (world: PoolWorld) => void

const releases = ['v1', 'v2', 'v3']

/** `plain`: releases that do not keep addresses. */
function worldOf(replicas: number, limits: Limits, plain: readonly string[] = []): PoolWorld {
  const world = new PoolWorld()
  for (const release of releases) {
    const keep = plain.includes(release) ? {} : { address: 'keep' as const }
    world.specs.set(release, appSpec({ web: entrypointSpec({ replicas, ...keep }) }, limits))
  }
  return world
}

const nth = (world: PoolWorld, pick: number): string => [...world.instances.keys()][pick % world.instances.size] ?? ''
const pick = fc.nat(30)
const anyNode = fc.constantFrom('node-a', 'node-b', 'node-c')
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 14, arbitrary: pick.map((n) => (world) => world.advance(nth(world, n))) },
  { weight: 3, arbitrary: fc.nat(2000).map((ms) => (world) => world.wait(ms)) },
  { weight: 1, arbitrary: fc.nat(5).map((count) => (world) => world.scale('web', count)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('pause', 'resume', 'abort').map((move) => (world) => world.move(move as 'pause')),
  },
  { weight: 1, arbitrary: fc.constantFrom(...releases).map((to) => (world) => world.force(to)) },
  { weight: 1, arbitrary: anyNode.map((node) => (world) => world.silence(node)) },
  { weight: 1, arbitrary: anyNode.map((node) => (world) => world.hear(node)) },
  { weight: 1, arbitrary: anyNode.map((node) => (world) => world.lose(node)) },
  { weight: 1, arbitrary: anyNode.map((node) => (world) => world.drain(node)) },
  { weight: 1, arbitrary: anyNode.map((node) => (world) => world.undrain(node)) },
  { weight: 1, arbitrary: pick.map((n) => (world) => world.crash(nth(world, n))) },
  { weight: 1, arbitrary: pick.map((n) => (world) => world.stop(nth(world, n))) },
  { weight: 1, arbitrary: fc.boolean().map((full) => (world) => world.fill(full)) },
  { weight: 1, arbitrary: fc.boolean().map((stuck) => (world) => world.stickGateways(stuck)) },
  { weight: 1, arbitrary: fc.constant((world) => world.restartDecider()) },
)
const limits = fc.constantFrom<Limits>(
  { surge: 1, unavailable: 0 },
  { surge: 0, unavailable: 1 },
  { surge: 3, unavailable: 2 },
  { surge: 0, unavailable: { percent: 50 } },
)
const scenario = fc.record({
  replicas: fc.integer({ min: 1, max: 4 }),
  limits,
  broken: fc.constantFrom([], ['v2']),
  happenings: fc.array(happening, { maxLength: 150 }),
})

function deployed(
  { replicas, limits }: { readonly replicas: number; readonly limits: Limits },
  plain: readonly string[] = [],
) {
  const world = worldOf(replicas, limits, plain)
  world.startRollout('v1')
  run(world)
  return world
}

const all = (world: PoolWorld) => [...world.instances.values()].map((each) => each.instance)
const addressesOf = (world: PoolWorld): Record<number, string> =>
  Object.fromEntries([...world.kept.values()].map(({ slot, address }) => [slot, address]))
const wantedOf = (world: PoolWorld): number =>
  world.pool.replicas.web?.count ?? world.specs.get('v1')?.entrypoints.web?.replicas ?? 0

/** One comes only where nobody has its slot any more, but on a node that is given up. */
function checkCreate(world: PoolWorld, step: PoolStep): void {
  if (step.type !== 'create' || step.slot === undefined) return
  const others = all(world).filter(({ slot, node }) => slot === step.slot && !world.lost.has(node ?? ''))
  expect(others).toEqual([])
}

function checkAddresses(world: PoolWorld): void {
  const kept = addressesOf(world)
  for (const { slot, address, node } of all(world))
    if (slot !== undefined && node !== undefined) expect(address).toBe(kept[slot])
}

const serving = (world: PoolWorld, ids?: ReadonlySet<string>): number =>
  [...world.instances.values()].filter(
    ({ instance, inTraffic, status }) =>
      inTraffic && status?.ready === true && instance.desired === 'run' && (ids === undefined || ids.has(instance.id)),
  ).length

describe('an entrypoint that keeps its addresses, in whatever order things happen', () => {
  it('never has two instances at one, loses none that it has, and serves as much as may be', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = deployed(scene)
        rollOutThrough(world, { broken, happenings }, () => {
          const before = serving(world)
          const steps = world.decide()
          world.onStep = (step) => checkCreate(world, step)
          world.apply(steps)
          checkAddresses(world)
          const wanted = world.rollout === undefined && world.pool.release === undefined ? 0 : wantedOf(world)
          const { unavailable } = rolloutLimits({ ...scene.limits, surge: 0 }, wanted)
          if (steps.some(({ type }) => type === 'create')) expect(world.existing()).toBeLessThanOrEqual(wanted)
          if (world.silent.size === 0)
            expect(serving(world)).toBeGreaterThanOrEqual(Math.min(before, wanted - unavailable))
        })
      }),
      { numRuns: 200 },
    )
  })

  it('has the same ones after all of it, and no more than it wants', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = deployed(scene)
        for (const release of broken) world.broken.add(release)
        const before = addressesOf(world)
        world.startRollout('v2')
        let least = wantedOf(world)
        for (const happen of happenings) {
          world.apply(world.decide())
          happen(world)
          world.place()
          if (wantedOf(world) > 0) least = Math.min(least, wantedOf(world))
        }
        world.recover()
        world.move('resume')
        run(world)
        expect(
          all(world)
            .map(({ slot }) => slot)
            .sort(),
        ).toEqual(Array.from({ length: wantedOf(world) }, (_, index) => index + 1))
        for (const { slot = 0, address } of all(world)) if (slot <= least) expect(address).toBe(before[slot])
        if (wantedOf(world) > 0) expect(world.kept.size).toBe(wantedOf(world))
      }),
      { numRuns: 150 },
    )
  })

  it('leaves a drained node and a lost one with its addresses', () => {
    fc.assert(
      fc.property(scenario, fc.constantFrom('drain', 'lose'), (scene, how) => {
        const world = deployed(scene)
        const before = addressesOf(world)
        world[how as 'drain' | 'lose']('node-b')
        run(world)
        const up = all(world).filter(({ desired }) => desired === 'run')
        expect(up.map(({ node }) => node)).not.toContain('node-b')
        expect(Object.fromEntries(up.map(({ slot, address }) => [slot, address]))).toEqual(before)
      }),
      { numRuns: 50 },
    )
  })
})

describe('addresses that are kept', () => {
  it('outlast a restart, a rollback and a rest at no instances', () => {
    const world = deployed({ replicas: 3, limits: { surge: 1, unavailable: 0 } })
    const before = addressesOf(world)
    expect(Object.keys(before)).toEqual(['1', '2', '3'])
    world.startRollout('v1', 'restart')
    run(world)
    world.broken.add('v2')
    world.startRollout('v2')
    run(world)
    expect(world.pool.release).toBe('v1')
    world.scale('web', 0)
    run(world)
    expect(all(world)).toEqual([])
    expect(addressesOf(world)).toEqual(before)
    world.scale('web', 3)
    run(world)
    expect(
      all(world)
        .map(({ address }) => address)
        .sort(),
    ).toEqual(Object.values(before).sort())
  })

  it('go with the numbers above what is wanted, the highest first', () => {
    const world = deployed({ replicas: 4, limits: { surge: 1, unavailable: 0 } })
    const before = addressesOf(world)
    world.scale('web', 2)
    run(world)
    expect(addressesOf(world)).toEqual({ 1: before[1], 2: before[2] })
    expect(
      all(world)
        .map(({ slot }) => slot)
        .sort(),
    ).toEqual([1, 2])
  })

  it('go when nobody keeps them any more, and with the pool', () => {
    const world = deployed({ replicas: 2, limits: { surge: 1, unavailable: 0 } }, ['v2'])
    world.startRollout('v2')
    run(world)
    expect(world.kept.size).toBe(0)
    expect(all(world).map(({ slot }) => slot)).toEqual([undefined, undefined])
    world.startRollout('v3')
    run(world)
    expect(Object.keys(addressesOf(world))).toEqual(['1', '2'])
    world.pool = { ...world.pool, removing: true }
    const removed: string[] = []
    world.onStep = ({ type }) => void removed.push(type)
    for (let round = 0; round < 100 && !removed.includes('remove-pool'); round++) {
      world.apply(world.decide())
      for (const id of [...world.instances.keys()]) world.advance(id)
      world.wait(1000)
    }
    expect(removed.filter((type) => type === 'release-address')).toHaveLength(2)
    expect(removed.at(-1)).toBe('remove-pool')
  })

  it('wait for an instance of which nothing is heard, until its node is given up', () => {
    const world = deployed({ replicas: 1, limits: { surge: 1, unavailable: 0 } })
    const [{ node = '', address } = {}] = all(world)
    world.silence(node)
    world.startRollout('v2')
    for (let round = 0; round < 200; round++) {
      world.apply(world.decide())
      for (const id of [...world.instances.keys()]) world.advance(id)
      world.place()
      world.wait(2000)
    }
    expect(all(world)).toHaveLength(1)
    world.lose(node)
    run(world)
    const next = all(world).find(({ desired }) => desired === 'run')
    expect(next).toMatchObject({ address, slot: 1, release: 'v2' })
    expect(next?.node).not.toBe(node)
  })
})
