import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appSpec, entrypointSpec } from '../reconcile/pool-fixtures.testing.ts'
import { round, run } from '../reconcile/run-world.testing.ts'
import { PoolWorld } from '../reconcile/simulate.testing.ts'

const dayMs = 24 * 3_600_000

/** `v1` serves; the releases after it have a migration. */
function migratingWorld(): PoolWorld {
  const world = new PoolWorld()
  const migrate = entrypointSpec({ type: 'job', replicas: 0, ports: [] })
  world.specs.set('v1', appSpec({ web: entrypointSpec() }))
  for (const release of ['v2', 'v3'])
    world.specs.set(release, appSpec({ web: entrypointSpec(), migrate }, { before: ['migrate'] }))
  world.startRollout('v1')
  run(world)
  return world
}

const jobs = (world: PoolWorld) => [...world.instances.values()].filter((each) => each.instance.type === 'job')
const job = (world: PoolWorld) => {
  const [only, ...others] = jobs(world)
  if (only === undefined || others.length > 0) throw new Error(`${others.length + 1} jobs`)
  return only
}

function startMigration(world: PoolWorld): void {
  world.startRollout('v2')
  world.apply(world.decide())
  world.advance(job(world).instance.id)
  expect(job(world).status?.phase).toBe('running')
}

describe('a job before a rollout', () => {
  it('is stopped when a person gives the rollout up, though nothing was replaced yet', () => {
    const world = migratingWorld()
    startMigration(world)
    world.move('abort')
    world.apply(world.decide())
    expect(world.rollouts.get('r2')?.state).toBe('aborted')
    expect(job(world).instance).toMatchObject({ desired: 'stop', stopReason: 'its rollout was given up' })
    run(world)
    expect(jobs(world)).toEqual([])
  })

  it('never runs later when it found no node in time', () => {
    const world = migratingWorld()
    world.full = true
    world.startRollout('v2')
    run(world)
    expect(world.rollouts.get('r2')).toMatchObject({ state: 'rolled-back' })
    world.full = false
    run(world)
    expect(jobs(world)).toEqual([])
  })

  it('that has ended well is not run again after a long pause', () => {
    const world = migratingWorld()
    startMigration(world)
    const created: string[] = []
    world.onStep = (step) => void (step.type === 'create' && created.push(step.entrypoint))
    world.move('pause')
    world.advance(job(world).instance.id)
    world.wait(2 * dayMs)
    for (let rounds = 0; rounds < 5; rounds++) round(world)
    world.move('resume')
    run(world)
    expect(world.rollouts.get('r2')).toMatchObject({ state: 'succeeded', jobsDone: ['migrate'] })
    expect(created).toEqual(['web'])
  })

  it('of a rollout that takes over waits until the other one has ended', () => {
    const world = migratingWorld()
    startMigration(world)
    world.force('v3')
    world.apply(world.decide())
    world.apply(world.decide())
    expect(job(world).instance).toMatchObject({ release: 'v2', desired: 'stop' })
    run(world)
    expect(world.rollouts.get('r3')).toMatchObject({ state: 'succeeded', jobsDone: ['migrate'] })
  })

  it('does not wait for ever for the other one', () => {
    const world = migratingWorld()
    startMigration(world)
    world.silence(job(world).instance.node ?? '')
    world.force('v3')
    for (let rounds = 0; rounds < 1000 && world.rollout !== undefined; rounds++) round(world)
    expect(world.rollouts.get('r3')?.failure?.reason).toContain('of an earlier rollout has not ended yet')
  })

  it('that a person stops fails the rollout, also when it had no node yet', () => {
    for (const full of [false, true]) {
      const world = migratingWorld()
      world.full = full
      world.startRollout('v2')
      world.apply(world.decide())
      world.stop(job(world).instance.id)
      run(world)
      expect(world.rollouts.get('r2')?.failure?.reason).toContain('was ended before the rollout')
      expect(world.pool.release).toBe('v1')
    }
  })

  it('with a time limit is not waited for when its node is gone', () => {
    const world = migratingWorld()
    const migrate = entrypointSpec({ type: 'job', replicas: 0, ports: [], jobTimeoutMs: 10_000 })
    world.specs.set('v2', appSpec({ web: entrypointSpec(), migrate }, { before: ['migrate'] }))
    startMigration(world)
    const { node } = job(world).instance
    world.silence(node ?? '')
    for (let rounds = 0; rounds < 1000 && world.rollout?.state === 'running'; rounds++) round(world)
    expect(world.rollouts.get('r2')?.failure?.reason).toBe(
      `has not ended within its time limit: node ${node} is offline`,
    )
  })
})

it('two migrations never run side by side, and a rollout succeeds only after its own', () => {
  const event = fc.oneof(
    { weight: 6, arbitrary: fc.nat(20).map((n) => (world: PoolWorld) => world.advance(idAt(world, n))) },
    { weight: 1, arbitrary: fc.constantFrom('v2', 'v3').map((to) => (world: PoolWorld) => world.force(to)) },
    { weight: 1, arbitrary: fc.constant((world: PoolWorld) => world.move('abort')) },
    { weight: 1, arbitrary: fc.nat(20).map((n) => (world: PoolWorld) => world.stop(idAt(world, n))) },
    { weight: 2, arbitrary: fc.nat(1500).map((ms) => (world: PoolWorld) => world.wait(ms)) },
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      const world = migratingWorld()
      world.startRollout('v2')
      for (const happen of events) {
        world.apply(world.decide())
        const live = jobs(world).filter((each) => each.status?.phase === 'running')
        expect(live.length).toBeLessThanOrEqual(1)
        happen(world)
      }
      run(world)
      for (const rollout of world.rollouts.values())
        if (rollout.state === 'succeeded' && rollout.to !== 'v1') expect(rollout.jobsDone).toEqual(['migrate'])
    }),
    { numRuns: 200 },
  )
})

const idAt = (world: PoolWorld, n: number): string => [...world.instances.keys()][n % world.instances.size] ?? ''
