import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appSpec, entrypointSpec, PoolWorld } from './simulate.testing.ts'

function worldWith(replicas: number, limits: { surge?: number; unavailable?: number } = {}): PoolWorld {
  const world = new PoolWorld()
  for (const release of ['v1', 'v2', 'v3']) {
    world.specs.set(release, appSpec({ web: entrypointSpec({ replicas }) }, limits))
  }
  return world
}

/** Applies plans and lets everything happen in order until nothing moves; fails when that takes too long. */
function run(world: PoolWorld, check: () => void = () => {}): void {
  let quietRounds = 0
  for (let round = 0; round < 2000; round++) {
    const steps = world.decide()
    world.apply(steps)
    check()
    for (const id of [...world.instances.keys()]) world.advance(id)
    check()
    world.now += 200
    quietRounds = steps.length === 0 && world.rollout === undefined ? quietRounds + 1 : 0
    if (quietRounds > 5) return
  }
  throw new Error(`no end: ${JSON.stringify(world.rollout)} ${JSON.stringify([...world.instances.values()])}`)
}

describe('a first deploy', () => {
  it('creates all instances at once and succeeds when they are in traffic', () => {
    const world = worldWith(3)
    world.startRollout('v1')
    expect(world.decide().filter((step) => step.type === 'create')).toHaveLength(3)
    run(world)
    expect(world.rollouts.get('r1')).toMatchObject({ state: 'succeeded', message: 'v1 serves' })
    expect(world.pool).toMatchObject({ release: 'v1', generation: 1 })
    expect(world.serving()).toBe(3)
  })

  it('that never gets ready fails, removes what it made and keeps the reason', () => {
    const world = worldWith(2)
    world.broken.add('v1')
    world.startRollout('v1')
    run(world)
    const rollout = world.rollouts.get('r1')
    expect(rollout?.state).toBe('failed')
    expect(rollout?.failure?.reason).toContain('exited 3 times before it was ready')
    expect(world.instances.size).toBe(0)
    expect(world.pool.release).toBeUndefined()
    expect(world.pool.rollout).toBeUndefined()
  })
})

describe('a rollout to a release that never gets ready', () => {
  it('rolls the whole pool back to the release before', () => {
    const world = worldWith(4, { surge: 2 })
    world.startRollout('v1')
    run(world)
    world.broken.add('v2')
    world.startRollout('v2')
    run(world, () => expect(world.serving()).toBeGreaterThanOrEqual(4))
    expect(world.rollouts.get('r2')).toMatchObject({ state: 'rolled-back' })
    expect(world.rollouts.get('r2')?.message).toContain('v1 serves')
    expect(world.pool).toMatchObject({ release: 'v1', generation: 1, nextGeneration: 3 })
    expect(new Set([...world.instances.values()].map((each) => each.instance.release))).toEqual(new Set(['v1']))
  })
})

describe('jobs before a rollout', () => {
  const spec = appSpec(
    { web: entrypointSpec(), migrate: entrypointSpec({ type: 'job', replicas: 0 }) },
    { before: ['migrate'] },
  )

  it('run first; a failing one stops the rollout before anything is replaced', () => {
    const world = worldWith(1)
    world.specs.set('v1', spec)
    world.specs.set('v2', spec)
    world.startRollout('v1')
    expect(world.decide()).toMatchObject([
      { type: 'create', entrypoint: 'migrate', kind: 'job' },
      { type: 'update-rollout' },
    ])
    run(world)
    expect(world.rollouts.get('r1')?.state).toBe('succeeded')
    world.broken.add('v2')
    world.startRollout('v2')
    run(world)
    expect(world.rollouts.get('r2')).toMatchObject({ state: 'rolled-back' })
    expect(world.rollouts.get('r2')?.failure?.reason).toContain('exit code 1')
    expect([...world.instances.values()].filter((each) => each.instance.entrypoint === 'web')).toHaveLength(1)
  })
})

describe('without a rollout', () => {
  it('replaces a removed instance, scales up and down, and follows removal to the end', () => {
    const world = worldWith(3)
    world.startRollout('v1')
    run(world)
    world.pool = { ...world.pool, replicas: { web: { count: 5, setBy: 'scale', specCount: 3 } } }
    run(world)
    expect(world.serving()).toBe(5)
    world.pool = { ...world.pool, replicas: { web: { count: 1, setBy: 'scale', specCount: 3 } } }
    run(world)
    expect(world.serving()).toBe(1)
    world.pool = { ...world.pool, removing: true }
    for (let i = 0; i < 50 && world.decide().at(-1)?.type !== 'remove-pool'; i++) {
      world.apply(world.decide())
      for (const id of [...world.instances.keys()]) world.advance(id)
      world.now += 500
    }
    expect(world.decide()).toEqual([{ type: 'remove-pool' }])
  })

  it('an entrypoint that the new release no longer has is drained', () => {
    const world = worldWith(1)
    world.specs.set('v1', appSpec({ web: entrypointSpec(), worker: entrypointSpec({ ports: [] }) }))
    world.startRollout('v1')
    run(world)
    expect(world.instances.size).toBe(2)
    world.startRollout('v2')
    run(world)
    expect([...world.instances.values()].map((each) => each.instance.entrypoint)).toEqual(['web'])
  })
})

describe('safety, in whatever order things happen', () => {
  const scenario = fc.record({
    replicas: fc.integer({ min: 1, max: 6 }),
    limits: fc.constantFrom(
      { surge: 1, unavailable: 0 },
      { surge: 0, unavailable: 1 },
      { surge: 2, unavailable: 1 },
      { surge: 3, unavailable: 0 },
    ),
    broken: fc.boolean(),
    events: fc.array(fc.record({ pick: fc.nat(20), waitMs: fc.nat(1500) }), { maxLength: 200 }),
  })

  it('never serves fewer than wanted - unavailable, never has more than wanted + surge, always ends', () => {
    fc.assert(
      fc.property(scenario, ({ replicas, limits, broken, events }) => {
        const world = worldWith(replicas, limits)
        world.startRollout('v1')
        run(world)
        if (broken) world.broken.add('v2')
        world.startRollout('v2')
        const check = () => {
          expect(world.serving()).toBeGreaterThanOrEqual(replicas - limits.unavailable)
          expect(world.existing()).toBeLessThanOrEqual(replicas + limits.surge)
        }
        for (const event of events) {
          world.apply(world.decide())
          check()
          const ids = [...world.instances.keys()]
          world.advance(ids[event.pick % ids.length] ?? '')
          world.now += event.waitMs
          check()
        }
        run(world, check)
        expect(world.rollouts.get('r2')?.state).toBe(broken ? 'rolled-back' : 'succeeded')
        expect(world.serving()).toBe(replicas)
      }),
      { numRuns: 500 },
    )
  })

  it('a plan applied leaves nothing to do until something happens', () => {
    fc.assert(
      fc.property(scenario, ({ replicas, limits, events }) => {
        const world = worldWith(replicas, limits)
        world.startRollout('v1')
        for (const event of events) {
          for (let settle = 0; settle < 10 && world.decide().length > 0; settle++) world.apply(world.decide())
          expect(world.decide()).toEqual([])
          const ids = [...world.instances.keys()]
          world.advance(ids[event.pick % ids.length] ?? '')
          world.now += event.waitMs
        }
      }),
      { numRuns: 300 },
    )
  })
})
