import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defaultPlacement } from '../spec/placement-of.ts'
import { appSpec, entrypointSpec } from './pool-fixtures.testing.ts'
import { rolloutLimits } from './rollout-limits.ts'
import { recoverAll, rollOutThrough, round, run } from './run-world.testing.ts'
import { PoolWorld } from './simulate.testing.ts'

type Happening = (world: PoolWorld) => void

const pick = fc.nat(30)
const anyNode = fc.constantFrom('node-a', 'node-b', 'node-c', 'node-d', 'node-e')
const nth = (world: PoolWorld, at: number): string => [...world.instances.keys()][at % world.instances.size] ?? ''

const happenings: readonly [weight: number, fc.Arbitrary<Happening>][] = [
  [14, pick.map((n) => (world) => world.advance(nth(world, n)))],
  [3, fc.nat(2000).map((ms) => (world) => world.wait(ms))],
  [2, anyNode.map((node) => (world) => world.addNode(node))],
  [1, anyNode.map((node) => (world) => world.removeNode(node))],
  [1, anyNode.map((node) => (world) => world.silence(node))],
  [2, anyNode.map((node) => (world) => world.hear(node))],
  [1, anyNode.map((node) => (world) => world.drain(node))],
  [1, anyNode.map((node) => (world) => world.undrain(node))],
  [1, fc.constantFrom('pause', 'resume', 'abort').map((move) => (world) => world.move(move as 'pause'))],
  [1, fc.constantFrom('v1', 'v2', 'v3').map((to) => (world) => world.force(to))],
  [1, pick.map((n) => (world) => world.crash(nth(world, n)))],
  [1, pick.map((n) => (world) => world.stop(nth(world, n)))],
  [1, fc.boolean().map((stuck) => (world) => world.stickGateways(stuck))],
  [1, fc.boolean().map((full) => (world) => world.fill(full))],
  [1, fc.integer({ min: 1, max: 4 }).map((cores) => (world) => world.resize('web', cores * 1000))],
  [
    1,
    fc.tuple(anyNode, fc.boolean()).map(
      ([node, tight]) =>
        (world) =>
          world.tighten(node, tight),
    ),
  ],
  [1, fc.constant((world) => world.restartDecider())],
]

const scenario = fc.record({
  perNode: fc.integer({ min: 1, max: 2 }),
  limits: fc.constantFrom(
    { surge: 1, unavailable: 0, settleMs: 0 },
    { surge: 0, unavailable: 1, settleMs: 0 },
    { surge: 2, unavailable: 1, settleMs: 500 },
  ),
  /** `v3` may be no system service: it goes from one kind to the other and back. */
  counted: fc.boolean(),
  broken: fc.constantFrom([], ['v2'], ['v2', 'v3']),
  happenings: fc.array(fc.oneof(...happenings.map(([weight, arbitrary]) => ({ weight, arbitrary }))), {
    maxLength: 150,
  }),
})

interface Scene {
  readonly perNode: number
  readonly limits: { readonly surge: number; readonly unavailable: number; readonly settleMs: number }
  readonly counted: boolean
}

function deployed({ perNode, limits, counted }: Scene): PoolWorld {
  const world = new PoolWorld()
  const base = entrypointSpec({})
  const system = {
    ...base,
    placement: { ...defaultPlacement(base), strategy: { type: 'each', count: perNode } as const },
  }
  for (const release of ['v1', 'v2', 'v3'])
    world.specs.set(release, appSpec({ web: release === 'v3' && counted ? { ...base, replicas: 2 } : system }, limits))
  world.startRollout('v1')
  run(world)
  return world
}

const online = (world: PoolWorld): string[] =>
  [...world.nodes].filter((node) => !world.silent.has(node) && !world.drained.has(node)).sort()

const up = (world: PoolWorld, release: string) =>
  [...world.instances.values()].filter(({ instance }) => instance.desired === 'run' && instance.release === release)

const isSystem = (world: PoolWorld, release: string | undefined): boolean =>
  world.specs.get(release ?? '')?.entrypoints.web?.placement?.strategy.type === 'each'

/** What must hold for every plan, whatever has happened. */
function applyChecked(world: PoolWorld, { perNode, limits }: Scene): void {
  const steps = world.decide()
  const before = servingUp(world)
  const goal = world.rollout?.state === 'rolling-back' ? world.rollout.from : (world.rollout?.to ?? world.pool.release)
  world.apply(steps)
  if (!isSystem(world, goal)) return
  const { surge, unavailable } = rolloutLimits(limits, online(world).length * perNode)
  const wanted = online(world).length * perNode
  for (const step of steps) {
    if (step.type !== 'create') continue
    expect(online(world)).toContain(step.node)
  }
  if (goal !== undefined) {
    const generation =
      world.rollout === undefined
        ? world.pool.generation
        : world.rollout.state === 'rolling-back'
          ? world.rollout.fromGeneration
          : world.rollout.toGeneration
    const good = [...world.instances.values()].filter(
      ({ instance }) => instance.desired === 'run' && instance.generation === generation,
    )
    for (const node of world.nodes)
      expect(good.filter(({ instance }) => instance.pinnedTo === node).length).toBeLessThanOrEqual(perNode)
  }
  const counting = [...world.instances.values()].filter(
    ({ instance }) => instance.desired !== 'stop' && (instance.node === undefined || !world.silent.has(instance.node)),
  )
  if (steps.some((step) => step.type === 'create')) expect(counting.length).toBeLessThanOrEqual(wanted + 2 * surge)
  const drained = steps.filter((step) => step.type === 'drain').length
  if (drained > 0 && surge > 0) expect(servingUp(world)).toBeGreaterThanOrEqual(Math.min(before, wanted - unavailable))
}

/** On nodes that are heard of. */
const servingUp = (world: PoolWorld): number =>
  [...world.instances.values()].filter(
    (each) =>
      each.inTraffic &&
      each.status?.ready === true &&
      each.instance.desired === 'run' &&
      !world.silent.has(each.instance.node ?? ''),
  ).length

describe('a service that runs on every node, in whatever order things happen', () => {
  it('is created on nodes that match only, no more than so many on each, and never serves too little for a step taken', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = deployed(scene)
        rollOutThrough(world, { broken, happenings }, () => applyChecked(world, scene))
      }),
      { numRuns: 400 },
    )
  })

  it('comes to rest with so many on each node, and none elsewhere', () => {
    fc.assert(
      fc.property(scenario, fc.boolean(), ({ broken, happenings, ...scene }, drain) => {
        const world = deployed(scene)
        rollOutThrough(world, { broken, happenings })
        recoverAll(world)
        if (drain) world.drain('node-b')
        run(world)
        const left = [...world.instances.values()].map(({ instance }) => instance)
        expect(left.every((each) => each.release === world.pool.release && each.desired === 'run')).toBe(true)
        if (!isSystem(world, world.pool.release)) return
        const expected = online(world).flatMap((node) => Array<string>(scene.perNode).fill(node))
        expect(left.map((each) => each.node).sort()).toEqual(expected)
        expect(left.every((each) => each.node === each.pinnedTo)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('a rollout ends though nodes are silent; they are made right when they are heard of again', () => {
    fc.assert(
      fc.property(scenario, fc.subarray(['node-a', 'node-b', 'node-c'], { minLength: 1 }), (scene, silent) => {
        const world = deployed({ ...scene, counted: false })
        for (const node of silent) world.silence(node)
        world.startRollout('v2')
        for (let rounds = 0; rounds < 10_000 && world.rollout !== undefined; rounds++) round(world)
        expect(world.rollout).toBeUndefined()
        expect(world.pool.release).toBe('v2')
        for (const node of silent) world.hear(node)
        run(world)
        expect(
          up(world, 'v2')
            .map(({ instance }) => instance.node)
            .sort(),
        ).toEqual(online(world).flatMap((node) => Array<string>(scene.perNode).fill(node)))
        expect(up(world, 'v1')).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('a plan applied leaves nothing to do until something happens or its time has come', () => {
    fc.assert(
      fc.property(scenario, ({ happenings, ...scene }) => {
        const world = deployed(scene)
        for (const happen of happenings) {
          for (let settle = 0; settle < 10 && world.decide().length > 0; settle++) world.apply(world.decide())
          const { steps, nextAt } = world.plan()
          expect(steps).toEqual([])
          if (nextAt !== undefined) expect(nextAt).toBeGreaterThan(world.now)
          happen(world)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('a node', () => {
  const scene = { perNode: 1, limits: { surge: 1, unavailable: 0, settleMs: 0 }, counted: false }

  it('that comes gets its instance at once, also while a rollout is under way', () => {
    const world = deployed(scene)
    world.addNode('node-d')
    expect(world.decide()).toMatchObject([{ type: 'create', node: 'node-d', release: 'v1' }])
    run(world)
    world.startRollout('v2')
    world.apply(world.decide())
    world.addNode('node-e')
    expect(world.decide().filter((step) => step.type === 'create')).toMatchObject([{ node: 'node-e', release: 'v2' }])
  })

  it('that is drained loses it, and nobody takes its place', () => {
    const world = deployed(scene)
    world.drain('node-b')
    run(world)
    expect(up(world, 'v1').map(({ instance }) => instance.node)).toEqual(['node-a', 'node-c'])
  })

  it('that is silent keeps it, and gets no other', () => {
    const world = deployed(scene)
    world.silence('node-b')
    run(world)
    expect(up(world, 'v1').map(({ instance }) => instance.node)).toEqual(['node-a', 'node-b', 'node-c'])
  })

  it('keeps the old one until the new one serves there', () => {
    const world = deployed(scene)
    // They come in another order than that of their names.
    for (const node of ['node-0', 'node-d']) {
      world.addNode(node)
      run(world)
    }
    world.startRollout('v2')
    let checked = 0
    const check = (): void => {
      for (const node of world.nodes) {
        const serving = [...world.instances.values()].filter(
          (each) => each.instance.node === node && each.inTraffic && each.status?.ready === true,
        )
        expect(serving.length).toBeGreaterThanOrEqual(1)
        checked += 1
      }
    }
    run(world, check)
    expect(checked).toBeGreaterThan(10)
    expect(up(world, 'v2')).toHaveLength(5)
  })
})
