import { describe, expect, it } from 'vitest'
import type { StageHookSpec, StageSpec } from '../model/index.ts'
import { entrypointSpec } from '../reconcile/pool-fixtures.testing.ts'
import { round, run, worldWith } from '../reconcile/run-world.testing.ts'
import type { PoolWorld } from '../reconcile/simulate.testing.ts'
import { hookId } from './hook-answer.ts'
import { trafficSplit } from './traffic-split.ts'

const job = (over: Partial<StageHookSpec> = {}): StageHookSpec =>
  ({ type: 'job', job: 'notify', timeoutMs: 60_000, onFailure: 'hold', ...over }) as StageHookSpec
const url = (over: Partial<StageHookSpec> = {}): StageHookSpec =>
  ({
    type: 'url',
    url: 'https://ci.example/hook?key=x',
    timeoutMs: 10_000,
    onFailure: 'hold',
    ...over,
  }) as StageHookSpec
const last: StageSpec = { name: 'all', gates: [] }

function deploying(...stages: readonly StageSpec[]): PoolWorld {
  const world = worldWith(4)
  const notify = entrypointSpec({ type: 'job', replicas: 0, ports: [] })
  for (const [release, { entrypoints, ...spec }] of world.specs)
    world.specs.set(release, {
      ...{ ...spec, entrypoints: { ...entrypoints, notify } },
      rollout: { ...spec.rollout, stages: [...stages, last] },
    })
  world.startRollout('v1')
  run(world)
  world.startRollout('v2')
  return world
}

function until(world: PoolWorld, done: () => boolean): void {
  for (let rounds = 0; rounds < 2000 && !done(); rounds++) round(world)
  expect(done()).toBe(true)
}

const canary = (over: Partial<StageSpec>): StageSpec => ({ name: 'canary', instances: 1, gates: [], ...over })
const hookOf = (world: PoolWorld, when: 'before' | 'after', place = 0) =>
  world.rollouts.get('r2')?.stages?.[0]?.[when]?.[place]
const untilRunning = (world: PoolWorld, when: 'before' | 'after', place = 0): void =>
  until(world, () => hookOf(world, when, place)?.state === 'running')
const answer = (world: PoolWorld, when: 'before' | 'after', ok: boolean, place = 0): void =>
  void world.answers.set(hookId('r2', 0, when, place), {
    ok,
    message: ok ? '204' : 'it answered with 500',
    output: 'x',
  })
const news = (world: PoolWorld): number =>
  [...world.instances.values()].filter(({ instance }) => instance.type === 'service' && instance.release === 'v2')
    .length
const runs = (world: PoolWorld) =>
  [...world.instances.values()].filter(({ instance }) => instance.entrypoint === 'notify')

describe('hooks of a stage', () => {
  it('are done before its first instance is replaced, and after its gates have passed', () => {
    const world = deploying(canary({ before: [url()], gates: [{ type: 'health', forMs: 5000 }], after: [url()] }))
    untilRunning(world, 'before')
    for (let rounds = 0; rounds < 30; rounds++) round(world)
    expect(news(world)).toBe(0)
    expect(world.rollout?.message).toBe('v2: stage 1 of 2 (canary) waits for https://ci.example/hook before it')
    answer(world, 'before', true)
    untilRunning(world, 'after')
    const stage = world.rollout?.stages?.[0]
    expect([news(world), stage?.gates[0]?.verdict]).toEqual([1, 'passed'])
    expect(hookOf(world, 'before')).toMatchObject({
      state: 'done',
      message: 'https://ci.example/hook: 204',
      output: 'x',
    })
    for (let rounds = 0; rounds < 30; rounds++) round(world)
    expect(news(world)).toBe(1)
    answer(world, 'after', true)
    until(world, () => world.rollout === undefined)
    expect(world.rollouts.get('r2')?.state).toBe('succeeded')
  })

  it('leave requests and old instances as they were until the stage begins', () => {
    const world = deploying(canary({ traffic: 50 }), { ...canary({ before: [url()] }), name: 'two', instances: 2 })
    until(world, () => world.rollout?.stages?.[1]?.before?.[0]?.state === 'running')
    expect(trafficSplit(world.rollout, world.specs.get('v2'))).toMatchObject({ share: 50, phase: 'there' })
    const one = [...world.instances.values()].find(({ instance }) => instance.release === 'v1')
    world.lose(one?.instance.node ?? '')
    until(world, () => world.serving() === 4)
    expect(news(world)).toBe(1)
  })

  it('do not have an instance of a silent node leave before the one in its place serves', () => {
    const world = deploying(canary({ before: [url()] }))
    untilRunning(world, 'before')
    const { node = '' } = [...world.instances.values()][0]?.instance ?? {}
    world.drain(node)
    world.apply(world.decide())
    expect(world.existing()).toBeGreaterThan(4)
    world.silence(node)
    expect(world.decide().filter(({ type }) => type === 'drain')).toEqual([])
    for (let rounds = 0; rounds < 30; rounds++) round(world)
    expect(world.serving()).toBeGreaterThanOrEqual(4)
  })

  it('that are jobs run once each, in order, as images of the new release', () => {
    const world = deploying(canary({ before: [job(), job()], after: [job()] }))
    until(world, () => world.rollout === undefined)
    expect(world.rollouts.get('r2')).toMatchObject({
      state: 'succeeded',
      stages: [{ before: [{ state: 'done', message: 'job notify has ended well' }, { state: 'done' }] }, {}],
    })
    expect(runs(world).map(({ instance }) => instance.release)).toEqual(runs(world).map(() => 'v2'))
  })

  it('hold the stage when they fail, until somebody lets it go on', () => {
    const world = deploying(canary({ before: [url()] }))
    untilRunning(world, 'before')
    answer(world, 'before', false)
    until(world, () => hookOf(world, 'before')?.state === 'failed')
    for (let rounds = 0; rounds < 30; rounds++) round(world)
    expect(world.rollout).toMatchObject({
      state: 'running',
      message:
        'v2: stage 1 of 2 (canary) waits for a person, since a hook before it failed: https://ci.example/hook: it answered with 500 (berth rollout continue r2)',
    })
    expect(news(world)).toBe(0)
    world.moveStage('continue')
    until(world, () => world.rollout === undefined)
    expect(world.rollouts.get('r2')?.state).toBe('succeeded')
    expect(hookOf(world, 'before')).toMatchObject({ state: 'failed', by: 'ann' })
  })

  it('take the pool back when they fail and say so', () => {
    const world = deploying(canary({ after: [job({ onFailure: 'rollback' })] }))
    until(world, () => news(world) > 0)
    untilRunning(world, 'after')
    world.broken.add('v2')
    until(world, () => world.rollout === undefined)
    expect(world.rollouts.get('r2')).toMatchObject({
      state: 'rolled-back',
      failure: { reason: 'stage canary: after it: job notify failed with exit code 1' },
    })
    expect(world.serving()).toBe(4)
  })

  it('that are jobs and hang are stopped when their time is over', () => {
    const world = deploying(canary({ before: [job({ timeoutMs: 20_000 })] }))
    untilRunning(world, 'before')
    world.apply(world.decide())
    const [id = ''] = runs(world).map(({ instance }) => instance.id)
    world.advance(id)
    for (let seconds = 0; seconds < 40 && hookOf(world, 'before')?.state === 'running'; seconds++) {
      world.apply(world.decide())
      world.wait(1000)
    }
    expect(hookOf(world, 'before')).toMatchObject({
      state: 'failed',
      message: 'job notify has not ended within 20s',
    })
    expect(world.instances.get(id)?.instance).toMatchObject({ desired: 'stop' })
  })

  it('are not waited for any more when their stage is skipped, and their runs are stopped', () => {
    const world = deploying(canary({ before: [job()] }))
    until(world, () => runs(world).length > 0)
    const [id = ''] = runs(world).map(({ instance }) => instance.id)
    world.moveStage('skip')
    world.apply(world.decide())
    expect(world.instances.get(id)?.instance).toMatchObject({ desired: 'stop', stopReason: 'its stage was skipped' })
    expect(hookOf(world, 'before')).toMatchObject({ state: 'failed', message: 'job notify: cut off' })
    until(world, () => world.rollout === undefined)
    expect(world.rollouts.get('r2')?.state).toBe('succeeded')
  })

  it('are cut off when the rollout is aborted', () => {
    const world = deploying(canary({ before: [url()] }))
    untilRunning(world, 'before')
    world.move('abort')
    until(world, () => world.rollout === undefined)
    expect(world.rollouts.get('r2')?.state).toBe('aborted')
    expect(hookOf(world, 'before')).toMatchObject({ state: 'failed', message: 'https://ci.example/hook: cut off' })
  })

  it('keep no more of what they say than there is room for', () => {
    const world = deploying(canary({ before: [url()] }))
    untilRunning(world, 'before')
    world.answers.set(hookId('r2', 0, 'before', 0), { ok: true, message: '200', output: 'y'.repeat(1_000_000) })
    until(world, () => hookOf(world, 'before')?.state === 'done')
    expect(hookOf(world, 'before')?.output).toHaveLength(1000)
  })
})
