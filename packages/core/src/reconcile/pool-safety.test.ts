import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RolloutSpec } from '../model/app-spec.ts'
import { dueSizes } from '../spec/sizes-of.ts'
import type { PoolStep } from './pool-snapshot.ts'
import { rolloutLimits } from './rollout-limits.ts'
import { round, run, worldWith } from './run-world.testing.ts'
import type { PoolWorld } from './simulate.testing.ts'

const limits = fc.constantFrom(
  { surge: 1, unavailable: 0, settleMs: 0 },
  { surge: 0, unavailable: 1, settleMs: 0 },
  { surge: 2, unavailable: 1, settleMs: 3000 },
  { surge: 3, unavailable: 0, settleMs: 500 },
  { surge: { percent: 25 }, unavailable: 0, settleMs: 0 },
  { surge: 0, unavailable: { percent: 50 }, settleMs: 0 },
)

type Happening = (world: PoolWorld) => void

const nth = (world: PoolWorld, pick: number): string => [...world.instances.keys()][pick % world.instances.size] ?? ''

const pick = fc.nat(30)
const anyNode = fc.constantFrom('node-a', 'node-b', 'node-c')
const moves = fc.constantFrom('pause', 'resume', 'abort')

/** What may happen, as often as its weight says. */
const happenings: readonly [weight: number, fc.Arbitrary<Happening>][] = [
  [12, pick.map((n) => (world) => world.advance(nth(world, n)))],
  [3, fc.nat(2000).map((ms) => (world) => world.wait(ms))],
  [1, fc.nat(6).map((count) => (world) => world.scale('web', count))],
  [1, moves.map((move) => (world) => world.move(move))],
  [1, fc.constantFrom('v1', 'v2', 'v3').map((to) => (world) => world.force(to))],
  [1, anyNode.map((node) => (world) => world.silence(node))],
  [1, anyNode.map((node) => (world) => world.hear(node))],
  [1, anyNode.map((node) => (world) => world.lose(node))],
  [1, anyNode.map((node) => (world) => world.drain(node))],
  [1, anyNode.map((node) => (world) => world.undrain(node))],
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
  [
    1,
    fc.tuple(anyNode, fc.constantFrom('there', 'coming', 'failed')).map(
      ([node, state]) =>
        (world) =>
          world.bringImage(node, state),
    ),
  ],
]
const happening = fc.oneof(...happenings.map(([weight, arbitrary]) => ({ weight, arbitrary })))

const scenario = fc.record({
  replicas: fc.integer({ min: 1, max: 5 }),
  limits,
  broken: fc.constantFrom([], ['v2'], ['v3'], ['v2', 'v3']),
  happenings: fc.array(happening, { maxLength: 150 }),
})

interface Scenario {
  readonly replicas: number
  readonly limits: Pick<RolloutSpec, 'surge' | 'unavailable' | 'settleMs'>
}

function deployed({ replicas, limits }: Scenario): PoolWorld {
  const world = worldWith(replicas, limits)
  world.startRollout('v1')
  run(world)
  return world
}

const wantedOf = (world: PoolWorld): number =>
  world.pool.replicas.web?.count ?? world.specs.get('v1')?.entrypoints.web?.replicas ?? 0

/** What must hold for every plan, whatever has happened: steps may not make worse what they may not make worse. */
function applyChecked(world: PoolWorld, limits: Scenario['limits']): void {
  const before = world.serving()
  const steps = world.decide()
  world.onStep = (step) => checkStop(world, step)
  world.apply(steps)
  const wanted = world.rollout === undefined && world.pool.release === undefined ? 0 : wantedOf(world)
  const { surge, unavailable } = rolloutLimits(limits, wanted)
  if (steps.some((step) => step.type === 'create')) {
    expect(world.existing() - resting(world)).toBeLessThanOrEqual(wanted + surge)
    expect(world.existing()).toBeLessThanOrEqual(wanted + 2 * surge)
  }
  // With no room for one more, one that may be serving has to make place; nobody can tell whether it does.
  if (surge > 0 || world.silent.size === 0)
    expect(servingUp(world)).toBeGreaterThanOrEqual(
      Math.min(before - drainingBefore(world, steps), wanted - unavailable),
    )
}

/** Those that have left traffic, serve no request and are there only until their names have expired. */
const resting = (world: PoolWorld): number =>
  [...world.instances.values()].filter(
    ({ instance, inTraffic, inflight }) => instance.desired === 'drain' && !inTraffic && inflight === 0,
  ).length

const servingUp = (world: PoolWorld): number =>
  [...world.instances.values()].filter(
    (each) => each.inTraffic && each.status?.ready === true && each.instance.desired === 'run',
  ).length

/** Those that were leaving already. */
const drainingBefore = (world: PoolWorld, steps: readonly PoolStep[]): number =>
  [...world.instances.values()].filter(
    ({ instance, inTraffic, status }) =>
      inTraffic &&
      status?.ready === true &&
      instance.desired !== 'run' &&
      !steps.some((step) => step.type === 'drain' && step.instance === instance.id),
  ).length

/** Nothing that a gateway routes to, or that is serving a request, is stopped before its time is over. */
function checkStop(world: PoolWorld, step: PoolStep): void {
  if (step.type !== 'stop') return
  const each = world.instances.get(step.instance)
  if (each?.instance.type !== 'service' || each.status?.phase !== 'running') return
  if (world.lost.has(each.instance.node ?? '')) return
  const waitedMs = world.now - (each.instance.drainSince ?? world.now)
  if (each.inTraffic) expect(waitedMs).toBeGreaterThanOrEqual(300_000)
  else if (each.inflight > 0) expect(waitedMs).toBeGreaterThanOrEqual(30_000)
  else expect(waitedMs).toBeGreaterThanOrEqual(1000)
}

describe('in whatever order things happen', () => {
  it('no plan makes the pool serve too little, grow too large, or stop what still serves', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = deployed(scene)
        for (const release of broken) world.broken.add(release)
        world.startRollout('v2')
        for (const happen of happenings) {
          applyChecked(world, scene.limits)
          happen(world)
          world.place()
        }
      }),
      { numRuns: 300 },
    )
  })

  it('when all is well again, the pool comes to rest with one release and as many as wanted', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = deployed(scene)
        for (const release of broken) world.broken.add(release)
        world.startRollout('v2')
        for (const happen of happenings) {
          world.apply(world.decide())
          happen(world)
          world.place()
        }
        world.recover()
        world.move('resume')
        run(world)
        const left = [...world.instances.values()].map((each) => each.instance)
        expect(left.every((each) => each.release === world.pool.release)).toBe(true)
        expect(left.every((each) => each.generation === world.pool.generation)).toBe(true)
        expect(left).toHaveLength(wantedOf(world))
        const web = world.specs.get(world.pool.release ?? '')!.entrypoints.web!
        expect(left.every((each) => dueSizes(each, web, world.pool) === undefined)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('a drained node and a lost one end up empty, and others run as many as wanted', () => {
    fc.assert(
      fc.property(scenario, fc.constantFrom('drain', 'lose'), ({ happenings, ...scene }, how) => {
        const world = deployed(scene)
        world.startRollout('v2')
        for (const happen of happenings) {
          world.apply(world.decide())
          happen(world)
          world.place()
        }
        world.recover()
        world.move('resume')
        world[how as 'drain' | 'lose']('node-b')
        run(world)
        const up = [...world.instances.values()].map((each) => each.instance).filter((each) => each.desired === 'run')
        expect(up.map((each) => each.node)).not.toContain('node-b')
        expect(up).toHaveLength(wantedOf(world))
      }),
      { numRuns: 200 },
    )
  })

  it('a rollout ends, though a node stays silent or gateways never answer', () => {
    fc.assert(
      fc.property(scenario, fc.subarray(['node-a', 'node-b', 'node-c']), fc.boolean(), (scene, silent, stuck) => {
        const world = deployed(scene)
        for (const release of scene.broken) world.broken.add(release)
        world.startRollout('v2')
        for (const happen of scene.happenings) {
          world.apply(world.decide())
          happen(world)
        }
        for (const node of silent) world.silence(node)
        world.stickGateways(stuck)
        world.move('resume')
        for (let rounds = 0; rounds < 10_000 && world.rollout !== undefined; rounds++) round(world)
        expect(world.rollout).toBeUndefined()
      }),
      { numRuns: 60 },
    )
  })

  it('a plan applied leaves nothing to do until something happens or its time has come', () => {
    fc.assert(
      fc.property(scenario, ({ happenings, ...scene }) => {
        const world = worldWith(scene.replicas, scene.limits)
        world.startRollout('v1')
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
