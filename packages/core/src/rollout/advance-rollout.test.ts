import { describe, expect, it } from 'vitest'
import { round, run, worldWith } from '../reconcile/run-world.testing.ts'
import type { PoolWorld } from '../reconcile/simulate.testing.ts'

function servingV1(replicas = 3, limits: Parameters<typeof worldWith>[1] = {}): PoolWorld {
  const world = worldWith(replicas, limits)
  world.startRollout('v1')
  run(world)
  return world
}

const ofRelease = (world: PoolWorld, release: string) =>
  [...world.instances.values()].filter((each) => each.instance.release === release)

function rounds(world: PoolWorld, until: () => boolean, most = 3000): void {
  for (let count = 0; count < most && !until(); count++) round(world)
  expect(until()).toBe(true)
}

/** A rollout to `v2` whose first instance is ready and in traffic. */
function halfway(world: PoolWorld): string {
  world.startRollout('v2')
  rounds(world, () => ofRelease(world, 'v2').some((each) => each.inTraffic))
  return ofRelease(world, 'v2')[0]?.instance.id ?? ''
}

describe('a rollout under way', () => {
  it('is not failed by a decider that was away for long', () => {
    const world = servingV1()
    world.gatewaysStuck = true
    world.startRollout('v2')
    rounds(world, () => ofRelease(world, 'v2').some((each) => each.status?.ready === true))
    world.wait(3_600_000)
    world.restartDecider()
    round(world)
    expect(world.rollout?.state).toBe('running')
    world.gatewaysStuck = false
    run(world)
    expect(world.rollouts.get('r2')?.state).toBe('succeeded')
  })

  it('goes back when the node of a new instance stays silent, though it was ready before', () => {
    const world = servingV1()
    const node = world.instances.get(halfway(world))?.instance.node ?? ''
    world.silence(node)
    rounds(world, () => world.rollout?.state === 'rolling-back')
    expect(world.rollout?.failure?.reason).toBe(`cannot be heard of: node ${node} has been offline for 60 s`)
  })

  it('forgives a new instance that has served a short absence', () => {
    const world = servingV1(2, { settleMs: 90_000 })
    const id = halfway(world)
    for (let count = 0; count < 350; count++) round(world)
    world.crash(id)
    world.broken.add('v2')
    for (let count = 0; count < 2; count++) round(world)
    world.broken.delete('v2')
    run(world)
    expect(world.rollouts.get('r2')?.state).toBe('succeeded')
  })

  it('fails with a new instance that comes and goes', () => {
    const world = servingV1(1, { settleMs: 30_000 })
    const id = halfway(world)
    for (let count = 0; count < 2000 && world.rollout?.state === 'running'; count++) {
      if (count % 10 < 8) world.crash(id)
      round(world)
    }
    expect(world.rollouts.get('r2')?.failure?.reason).toContain('not ready after 60 s')
  })

  it('keeps those that may be serving although their agent is silent', () => {
    const world = servingV1()
    const silent = [...world.instances.values()][0]?.instance
    world.silence(silent?.node ?? '')
    world.startRollout('v2')
    world.apply(world.decide())
    expect(world.instances.get(silent?.id ?? '')?.instance.desired).toBe('run')
    world.full = true
    rounds(world, () => world.rollout?.state === 'rolling-back')
    expect(world.serving()).toBe(3)
  })
})

describe('going back', () => {
  it('ends though an instance of before can not be heard of', () => {
    const world = servingV1()
    halfway(world)
    const lost = ofRelease(world, 'v1').find((each) => each.instance.desired === 'run')
    world.silence(lost?.instance.node ?? '')
    world.move('abort')
    rounds(world, () => world.rollout === undefined)
    expect(world.rollouts.get('r2')).toMatchObject({ state: 'failed' })
    expect(world.rollouts.get('r2')?.message).toContain('going back to v1 failed too')
    world.recover()
    run(world)
    expect(world.serving()).toBe(3)
    expect(ofRelease(world, 'v2')).toEqual([])
  })

  it('looks again when an instance of before, started anew, will have settled', () => {
    const world = servingV1(1, { settleMs: 5000 })
    halfway(world)
    const old = ofRelease(world, 'v1')[0]?.instance.id ?? ''
    world.crash(old)
    world.move('abort')
    rounds(world, () => world.decide().length === 0 && world.instances.get(old)?.inTraffic === true)
    const { nextAt = 0 } = world.plan()
    expect(nextAt - world.now).toBeGreaterThan(0)
    expect(nextAt - world.now).toBeLessThanOrEqual(5000)
  })

  it('puts back the counts of before, and what was scaled meanwhile counts as scaled from them', () => {
    const world = servingV1(3)
    world.pool = { ...world.pool, replicas: { web: { count: 3, setBy: 'spec', specCount: 3 } } }
    world.startRollout('v2')
    world.pool = { ...world.pool, replicas: { web: { count: 5, setBy: 'scale', specCount: 4 } } }
    world.move('abort')
    run(world)
    expect(world.pool.replicas).toEqual({ web: { count: 5, setBy: 'scale', specCount: 3 } })
    expect(world.serving()).toBe(5)
  })
})

it('an aborted rollout that never served gives the pool back empty', () => {
  const world = worldWith(2)
  world.full = true
  world.startRollout('v1')
  round(world)
  world.move('abort')
  run(world)
  expect(world.rollouts.get('r1')).toMatchObject({ state: 'aborted' })
  expect([world.instances.size, world.pool.release, world.pool.rollout]).toEqual([0, undefined, undefined])
})
