import fc from 'fast-check'
import { expect } from 'vitest'
import type { RolloutSpec } from '../model/app-spec.ts'
import type { PoolStep } from './pool-snapshot.ts'
import { rolloutLimits } from './rollout-limits.ts'
import { run, worldWith } from './run-world.testing.ts'
import type { PoolWorld } from './simulate.testing.ts'

/** What may happen to a pool, in any order, and what must hold for every plan all the same. */
export const limits = fc.constantFrom(
  { surge: 1, unavailable: 0, settleMs: 0 },
  { surge: 0, unavailable: 1, settleMs: 0 },
  { surge: 2, unavailable: 1, settleMs: 3000 },
  { surge: 3, unavailable: 0, settleMs: 500 },
  { surge: { percent: 25 }, unavailable: 0, settleMs: 0 },
  { surge: 0, unavailable: { percent: 50 }, settleMs: 0 },
)

export type Happening = (world: PoolWorld) => void

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
export const happening: fc.Arbitrary<Happening> = fc.oneof(
  ...happenings.map(([weight, arbitrary]) => ({ weight, arbitrary })),
)

export interface Scenario {
  readonly replicas: number
  readonly limits: Pick<RolloutSpec, 'surge' | 'unavailable' | 'settleMs'>
}

export function deployed({ replicas, limits }: Scenario): PoolWorld {
  const world = worldWith(replicas, limits)
  world.startRollout('v1')
  run(world)
  return world
}

export const wantedOf = (world: PoolWorld): number =>
  world.pool.replicas.web?.count ?? world.specs.get('v1')?.entrypoints.web?.replicas ?? 0

/** What must hold for every plan, whatever has happened: steps may not make worse what they may not make worse. */
export function applyChecked(world: PoolWorld, limits: Scenario['limits'], beside = false): void {
  const before = world.serving()
  const steps = world.decide()
  world.onStep = (step) => checkStop(world, step)
  world.apply(steps)
  const wanted = world.rollout === undefined && world.pool.release === undefined ? 0 : wantedOf(world)
  const { surge, unavailable } = rolloutLimits(limits, wanted)
  // All of both releases may be there side by side.
  const most = beside ? 2 * wanted : wanted
  // A job takes nobody's place.
  if (steps.some((step) => step.type === 'create' && step.kind === 'service')) {
    expect(world.existing() - resting(world)).toBeLessThanOrEqual(most + surge)
    expect(world.existing()).toBeLessThanOrEqual(most + 2 * surge)
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
