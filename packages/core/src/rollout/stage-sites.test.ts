import { describe, expect, it } from 'vitest'
import type { StageSpec } from '../model/index.ts'
import { entrypointSpec } from '../reconcile/pool-fixtures.testing.ts'
import { round, run, worldWith } from '../reconcile/run-world.testing.ts'
import { type PoolWorld, siteOfNode } from '../reconcile/simulate.testing.ts'

const person: StageSpec['gates'] = [{ type: 'person' }]
const last: StageSpec = { name: 'all', gates: [] }

/** Two of six are in Paris, on the one node there. */
function deploying(...stages: readonly StageSpec[]): PoolWorld {
  const world = worldWith(6)
  const worker = entrypointSpec({ replicas: 2, ports: [] })
  for (const [release, { entrypoints, ...spec }] of world.specs)
    world.specs.set(release, {
      ...{ ...spec, entrypoints: { ...entrypoints, worker } },
      rollout: { ...spec.rollout, stages: [...stages, last] },
    })
  world.startRollout('v1')
  run(world)
  world.startRollout('v2')
  return world
}

function held(world: PoolWorld, stage: string): PoolWorld {
  const waits = (): boolean => world.rollout?.message.includes(`(${stage}) waits for a person`) === true
  for (let rounds = 0; rounds < 2000 && !waits(); rounds++) round(world)
  expect(world.rollout?.message).toContain(`(${stage}) waits for a person`)
  return world
}

/** `v2 web paris`, of those that serve, with how many. */
function serving(world: PoolWorld): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { instance, status } of world.instances.values()) {
    if (instance.desired !== 'run' || status?.ready !== true) continue
    const key = `${instance.release} ${instance.entrypoint} ${siteOfNode(instance.node ?? '')}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}
const totalOf = (counts: Record<string, number>, words: string): number =>
  Object.entries(counts).reduce((sum, [key, count]) => sum + (key.startsWith(words) ? count : 0), 0)

describe('a stage about sites', () => {
  const paris: StageSpec = { name: 'paris', sites: ['paris'], gates: person }

  it('replaces what is there by new ones there, and leaves the others alone', () => {
    const before = serving(deploying(paris))
    const world = held(deploying(paris), 'paris')
    const now = serving(world)
    expect(now['v1 web paris']).toBeUndefined()
    expect(now['v2 web paris']).toBe(before['v1 web paris'])
    expect(now['v1 web lyon']).toBe(before['v1 web lyon'])
    expect(totalOf(now, 'v2 web lyon')).toBe(0)
    expect(world.rollout?.stages?.[0]?.counts?.web).toBe(before['v1 web paris'])
    world.moveStage('continue')
    run(world)
    expect([world.rollouts.get('r2')?.state, totalOf(serving(world), 'v2 web')]).toEqual(['succeeded', 6])
  })

  it('makes new ones there again when they are lost', () => {
    const world = held(deploying(paris), 'paris')
    const [one] = [...world.instances.values()].filter(({ instance }) => instance.release === 'v2')
    world.crash(one?.instance.id ?? '')
    world.lose('node-a')
    for (let rounds = 0; rounds < 20; rounds++) round(world)
    expect(totalOf(serving(world), 'v2 web lyon')).toBe(0)
    world.hear('node-a')
    held(world, 'paris')
    expect(serving(world)['v2 web paris']).toBe(world.rollout?.stages?.[0]?.counts?.web)
  })

  it('adds to what the stages before it have made', () => {
    const canary: StageSpec = { name: 'canary', instances: 1, gates: [] }
    const world = held(deploying(canary, { name: 'lyon', sites: ['lyon'], gates: person }), 'lyon')
    const now = serving(world)
    expect(now['v1 web lyon']).toBeUndefined()
    expect(totalOf(now, 'v1 web') + totalOf(now, 'v2 web')).toBe(6)
    expect(totalOf(now, 'v2 web')).toBe(world.rollout?.stages?.[1]?.counts?.web)
  })

  it('is over at once where nothing of the pool is', () => {
    const world = deploying({ name: 'rome', sites: ['rome'], gates: [] })
    run(world)
    expect(world.rollouts.get('r2')).toMatchObject({ state: 'succeeded', stages: [{ counts: { web: 0 } }, {}] })
  })

  it('takes the whole pool back when it fails', () => {
    const world = held(deploying(paris, { ...last, name: 'rest', instances: { percent: 80 } }), 'paris')
    world.broken.add('v2')
    world.moveStage('continue')
    run(world)
    expect([world.rollouts.get('r2')?.state, totalOf(serving(world), 'v1 web')]).toEqual(['rolled-back', 6])
  })
})

describe('a stage about some services', () => {
  it('leaves the others as they were', () => {
    const world = held(deploying({ name: 'workers', entrypoints: ['worker'], gates: person }), 'workers')
    expect(totalOf(serving(world), 'v2 web')).toBe(0)
    expect(totalOf(serving(world), 'v2 worker')).toBe(2)
    world.moveStage('continue')
    run(world)
    expect(totalOf(serving(world), 'v2')).toBe(8)
  })

  it('may be about a part of them, at sites', () => {
    const world = held(
      deploying(
        { name: 'first', entrypoints: ['worker'], instances: 1, gates: [] },
        { name: 'second', entrypoints: ['web'], sites: ['paris'], gates: person },
      ),
      'second',
    )
    expect(totalOf(serving(world), 'v2 worker')).toBe(1)
    expect(serving(world)['v2 web lyon']).toBeUndefined()
    expect(serving(world)['v2 web paris']).toBe(world.rollout?.stages?.[1]?.counts?.web)
  })
})
