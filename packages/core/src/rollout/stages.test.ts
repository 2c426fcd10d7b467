import { describe, expect, it } from 'vitest'
import type { StageSpec } from '../model/index.ts'
import { appSpec, entrypointSpec } from '../reconcile/pool-fixtures.testing.ts'
import { round, run, worldWith } from '../reconcile/run-world.testing.ts'
import type { PoolWorld } from '../reconcile/simulate.testing.ts'
import { trafficSplit } from './traffic-split.ts'

const canary: StageSpec = { name: 'canary', instances: 1, gates: [{ type: 'health', forMs: 5000 }, { type: 'person' }] }
const half: StageSpec = { name: 'half', instances: { percent: 50 }, gates: [] }
const all: StageSpec = { name: 'all', gates: [{ type: 'health', forMs: 10_000 }] }

function servingV1(stages: readonly StageSpec[] = [canary, half, all], replicas = 4): PoolWorld {
  const world = worldWith(replicas)
  for (const [release, spec] of world.specs) world.specs.set(release, { ...spec, rollout: { ...spec.rollout, stages } })
  world.startRollout('v1')
  run(world)
  world.startRollout('v2')
  return world
}

/** What serves, by release. */
function serving(world: PoolWorld): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { instance, inTraffic } of world.instances.values())
    if (inTraffic && instance.desired === 'run') counts[instance.release] = (counts[instance.release] ?? 0) + 1
  return counts
}

function until(world: PoolWorld, done: () => boolean): void {
  for (let rounds = 0; rounds < 2000 && !done(); rounds++) round(world)
  expect(done()).toBe(true)
}

const waits = (world: PoolWorld): boolean => world.rollout?.message.includes('waits for a person') === true
const held = (world: PoolWorld): PoolWorld => {
  until(world, () => waits(world))
  return world
}

describe('stages', () => {
  it('go as far as they say and wait for their gates', () => {
    const world = servingV1()
    until(world, () => world.rollout?.stages?.[0]?.readyAt !== undefined)
    expect(serving(world)).toEqual({ v1: 3, v2: 1 })
    expect(world.rollout?.message).toBe(
      'v2: stage 1 of 3 (canary) waits for health for 5s, a person (berth rollout continue r2)',
    )
    held(world)
    expect(world.rollout?.message).toBe('v2: stage 1 of 3 (canary) waits for a person (berth rollout continue r2)')
    for (let rounds = 0; rounds < 50; rounds++) expect(round(world)).toBe(false)
    world.moveStage('continue')
    run(world)
    const { state, stages = [] } = world.rollouts.get('r2')!
    expect([state, serving(world)]).toEqual(['succeeded', { v2: 4 }])
    expect(stages.map(({ served }) => served)).toEqual([{ web: 1 }, { web: 2 }, { web: 4 }])
    expect(stages[0]?.gates).toMatchObject([{ verdict: 'passed' }, { verdict: 'passed', by: 'ann' }])
    expect(stages[2]!.endedAt! - stages[2]!.readyAt!).toBeGreaterThanOrEqual(10_000)
  })

  it('are there for a deploy over another release only', () => {
    const world = servingV1()
    expect(world.rollouts.get('r1')?.stages).toBeUndefined()
    world.move('abort')
    run(world)
    world.startRollout('v2', 'rollback')
    run(world)
    expect(world.rollouts.get('r3')).toMatchObject({ state: 'succeeded' })
  })

  it('begin their time anew when an instance has stopped serving meanwhile', () => {
    const world = servingV1([{ ...canary, gates: [{ type: 'health', forMs: 20_000 }] }, all])
    until(world, () => world.rollout?.stages?.[0]?.readyAt !== undefined)
    world.wait(15_000)
    const id = [...world.instances.values()].find(({ instance }) => instance.release === 'v2')!.instance.id
    world.crash(id)
    round(world)
    const backAt = world.now
    until(world, () => world.rollout?.stages?.[0]?.endedAt !== undefined)
    expect(world.rollout!.stages![0]!.endedAt! - backAt).toBeGreaterThanOrEqual(20_000)
  })

  it('take the whole pool back when a later one fails', () => {
    const world = held(servingV1())
    world.moveStage('continue')
    world.broken.add('v2')
    run(world)
    const { state, stages = [], failure } = world.rollouts.get('r2')!
    expect([state, serving(world)]).toEqual(['rolled-back', { v1: 4 }])
    expect(failure?.reason).toContain('exited 3 times')
    expect(stages.map(({ endedAt }) => endedAt !== undefined)).toEqual([true, true, false])
  })

  it('end at once when they are skipped, and the last one when its instances serve', () => {
    const world = servingV1()
    round(world)
    world.moveStage('skip')
    round(world)
    expect(world.rollout?.stages?.[0]).toMatchObject({ skippedBy: 'ann', endedAt: expect.any(Number) })
    until(world, () => world.rollout?.stages?.[2]?.startedAt !== undefined)
    world.moveStage('skip')
    until(world, () => world.rollout === undefined)
    const last = world.rollouts.get('r2')!.stages![2]!
    expect([serving(world), last.served]).toEqual([{ v2: 4 }, { web: 4 }])
    expect(last.endedAt! - last.startedAt!).toBeLessThan(10_000)
  })

  it('cannot be continued before they wait, nor skipped twice', () => {
    const world = servingV1()
    world.moveStage('continue')
    expect(world.rollout?.stages?.[0]?.gates[1]?.verdict).toBe('waiting')
    world.moveStage('skip')
    const once = world.rollout
    world.moveStage('skip')
    expect(world.rollout).toEqual(once)
  })

  it('can be aborted', () => {
    const world = held(servingV1())
    world.move('abort')
    run(world)
    expect(world.rollouts.get('r2')).toMatchObject({
      state: 'aborted',
      stages: [{ endedAt: expect.any(Number) }, {}, {}],
    })
    expect(serving(world)).toEqual({ v1: 4 })
  })
})

describe('while a stage waits', () => {
  it('what a node that is lost had comes back in both releases', () => {
    const world = held(servingV1())
    for (const node of ['node-a', 'node-b']) world.lose(node)
    until(world, () => Object.values(serving(world)).reduce((sum, count) => sum + count, 0) === 4)
    expect(serving(world)).toEqual({ v1: 3, v2: 1 })
    expect(waits(world)).toBe(true)
  })

  it('scaling holds for both releases', () => {
    const world = held(servingV1())
    world.scale('web', 8)
    until(world, () => serving(world).v1 === 7)
    world.scale('web', 2)
    until(world, () => serving(world).v1 === 1)
    expect(serving(world)).toEqual({ v1: 1, v2: 1 })
    world.moveStage('continue')
    run(world)
    expect(serving(world)).toEqual({ v2: 2 })
  })

  it('what the new release has not any more is still there, and goes with the last stage', () => {
    const world = worldWith(4)
    const web = entrypointSpec({ replicas: 4 })
    world.specs.set('v1', appSpec({ web, old: entrypointSpec({ replicas: 2 }) }))
    world.specs.set('v2', appSpec({ web, fresh: entrypointSpec({ replicas: 2 }) }, { stages: [canary, all] }))
    world.startRollout('v1')
    run(world)
    world.startRollout('v2')
    held(world)
    const names = (): string[] =>
      [...world.instances.values()].map(({ instance }) => `${instance.entrypoint} ${instance.release}`).sort()
    expect(names()).toEqual(['fresh v2', 'old v1', 'old v1', 'web v1', 'web v1', 'web v1', 'web v2'])
    world.moveStage('continue')
    run(world)
    expect(names()).toEqual(['fresh v2', 'fresh v2', 'web v2', 'web v2', 'web v2', 'web v2'])
  })

  it('a decider that begins anew goes on where it was', () => {
    const world = servingV1([{ ...canary, gates: [{ type: 'health', forMs: 60_000 }] }, all])
    until(world, () => world.rollout?.stages?.[0]?.readyAt !== undefined)
    const { readyAt } = world.rollout!.stages![0]!
    world.wait(30_000)
    world.restartDecider()
    run(world)
    const { state, stages = [] } = world.rollouts.get('r2')!
    expect([state, stages[0]?.readyAt]).toEqual(['succeeded', readyAt])
    expect(stages[0]!.endedAt! - readyAt!).toBeGreaterThanOrEqual(60_000)
  })
})

describe('blue-green', () => {
  const stages: readonly StageSpec[] = [
    { name: 'beside', beside: true, traffic: 0, gates: [] },
    { name: 'switched', beside: true, traffic: 1000, gates: [{ type: 'health', forMs: 60_000 }] },
    { name: 'all', gates: [] },
  ]
  const splitNow = (world: PoolWorld) => trafficSplit(world.rollout, world.specs.get('v2'))

  it('has all new ones beside the old, then the traffic, and keeps the old for as long as it says', () => {
    const world = servingV1(stages)
    until(world, () => world.rollout?.stages?.[0]?.startedAt !== undefined)
    expect(splitNow(world)).toMatchObject({ share: 0, phase: 'arriving' })
    until(world, () => world.rollout?.stages?.[1]?.readyAt !== undefined)
    expect([splitNow(world), serving(world)]).toMatchObject([
      { share: 1000, phase: 'there' },
      { v1: 4, v2: 4 },
    ])
    const { readyAt } = world.rollout!.stages![1]!
    run(world)
    expect([world.rollouts.get('r2')?.state, serving(world)]).toEqual(['succeeded', { v2: 4 }])
    expect(world.rollouts.get('r2')!.stages![1]!.endedAt! - readyAt!).toBeGreaterThanOrEqual(60_000)
  })

  it('goes back at once: the old ones are still there', () => {
    const world = servingV1(stages)
    until(world, () => world.rollout?.stages?.[1]?.readyAt !== undefined)
    world.move('abort')
    expect(splitNow(world)).toMatchObject({ share: 1000, phase: 'leaving' })
    const before = world.nextOrdinal
    run(world)
    expect([serving(world), world.nextOrdinal]).toEqual([{ v1: 4 }, before])
  })
})

describe('recreate', () => {
  function recreating(): PoolWorld {
    const world = worldWith(3)
    for (const [release, spec] of world.specs)
      world.specs.set(release, { ...spec, rollout: { ...spec.rollout, recreate: true } })
    world.startRollout('v1')
    run(world)
    // A new one begins only when no container of another release can be there any more.
    world.onStep = (step) => {
      if (step.type !== 'create') return
      const others = [...world.instances.values()].filter(({ instance }) => instance.generation !== step.generation)
      expect(others.map(({ instance }) => instance.id)).toEqual([])
    }
    return world
  }

  it('ends the old ones before new ones begin', () => {
    const world = recreating()
    world.startRollout('v2')
    run(world)
    expect([world.rollouts.get('r2')?.state, serving(world)]).toEqual(['succeeded', { v2: 3 }])
  })

  it('does so on the way back too, also where the release of before does not say so', () => {
    const world = recreating()
    const v1 = world.specs.get('v1')!
    const { recreate: _, ...rollout } = v1.rollout
    world.specs.set('v1', { ...v1, rollout })
    world.broken.add('v2')
    world.startRollout('v2')
    run(world)
    expect([world.rollouts.get('r2')?.state, serving(world)]).toEqual(['rolled-back', { v1: 3 }])
  })
})

describe('a job as a gate', () => {
  const smoke: StageSpec = { name: 'canary', instances: 1, gates: [{ type: 'job', job: 'smoke' }] }

  function withSmoke(): PoolWorld {
    const world = worldWith(4)
    const job = entrypointSpec({ type: 'job', replicas: 0, ports: [], jobTimeoutMs: 10_000 })
    for (const [release, { entrypoints, ...spec }] of world.specs)
      world.specs.set(release, {
        ...{ ...spec, entrypoints: { ...entrypoints, smoke: job } },
        rollout: { ...spec.rollout, stages: [smoke, all] },
      })
    world.startRollout('v1')
    run(world)
    world.startRollout('v2')
    return world
  }
  const jobs = (world: PoolWorld) => [...world.instances.values()].filter(({ instance }) => instance.type === 'job')
  const untilItRuns = (world: PoolWorld): string => {
    until(world, () => jobs(world)[0]?.status?.phase === 'running')
    return jobs(world)[0]?.instance.id ?? ''
  }

  it('runs once, when the stage serves, and passes when it ends well', () => {
    const world = withSmoke()
    const created: string[] = []
    world.onStep = (step) => void (step.type === 'create' && step.kind === 'job' && created.push(step.entrypoint))
    untilItRuns(world)
    expect(serving(world)).toEqual({ v1: 3, v2: 1 })
    expect(world.rollout?.message).toBe('v2: stage 1 of 2 (canary) waits for job smoke')
    run(world)
    const { state, stages = [] } = world.rollouts.get('r2')!
    expect([state, created]).toEqual(['succeeded', ['smoke']])
    expect(stages[0]?.gates).toMatchObject([
      { verdict: 'passed', message: expect.stringMatching(/^job smoke has ended well/) },
    ])
  })

  it.each<[what: string, happen: (world: PoolWorld, id: string) => void, why: RegExp]>([
    ['fails', (world) => world.broken.add('v2'), /job smoke failed with exit code 1/],
    ['is stopped by a person', (world, id) => world.stop(id), /job smoke was ended/],
    [
      'never ends',
      (world, id) => world.silence(jobs(world).find(({ instance }) => instance.id === id)?.instance.node ?? ''),
      /job smoke has not ended within its time limit/,
    ],
  ])('that %s takes the rollout back, with its last lines', (_, happen, why) => {
    const world = withSmoke()
    happen(world, untilItRuns(world))
    for (let rounds = 0; rounds < 2000 && world.rollout?.state === 'running'; rounds++) round(world)
    expect(world.rollouts.get('r2')?.failure?.reason).toMatch(why)
    expect(world.rollouts.get('r2')?.failure?.instance).toBe(jobs(world)[0]?.instance.id)
    world.recover()
    run(world)
    expect(serving(world)).toEqual({ v1: 4 })
  })

  it('is not waited for by a stage that somebody skips, nor begun by one', () => {
    const world = withSmoke()
    until(world, () => world.rollout?.stages?.[0]?.startedAt !== undefined)
    world.moveStage('skip')
    run(world)
    expect(world.rollouts.get('r2')?.state).toBe('succeeded')
    expect(jobs(world)).toEqual([])
  })
})
