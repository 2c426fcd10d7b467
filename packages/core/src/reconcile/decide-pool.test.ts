import { describe, expect, it } from 'vitest'
import { appSpec, entrypointSpec } from './pool-fixtures.testing.ts'
import { run, worldWith } from './run-world.testing.ts'

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
