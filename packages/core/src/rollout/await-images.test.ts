import { describe, expect, it } from 'vitest'
import { appSpec, entrypointSpec } from '../reconcile/pool-fixtures.testing.ts'
import { round, run, worldWith } from '../reconcile/run-world.testing.ts'
import type { PoolWorld } from '../reconcile/simulate.testing.ts'

function servingV1(replicas = 3): PoolWorld {
  const world = worldWith(replicas)
  world.startRollout('v1')
  run(world)
  return world
}

const ofV2 = (world: PoolWorld) => [...world.instances.values()].filter((each) => each.instance.release === 'v2')
const all = ['node-a', 'node-b', 'node-c']

describe('a rollout whose image is not where it is needed', () => {
  it('replaces nothing until every node has it, and tells how far it is', () => {
    const world = servingV1()
    world.images = new Map(all.map((node) => [node, { node, state: node === 'node-a' ? 'there' : 'coming' }]))
    world.startRollout('v2')
    for (let count = 0; count < 20; count++) round(world)
    expect(ofV2(world)).toEqual([])
    expect(world.rollout?.message).toBe('v2: its image is on 1 of 3 nodes, on its way to node-b, node-c')
    expect(world.rollout?.images).toMatchObject({ wanted: 3, there: 1, missing: ['node-b', 'node-c'] })
    world.images.set('node-b', { node: 'node-b', state: 'there' })
    round(world)
    expect(world.rollout?.images).toMatchObject({ there: 2, missing: ['node-c'] })
    world.images.set('node-c', { node: 'node-c', state: 'there' })
    run(world)
    expect(world.rollouts.get('r2')).toMatchObject({ state: 'succeeded', images: { there: 3, missing: [] } })
    expect(world.rollouts.get('r2')?.images?.doneAt).toBeGreaterThan(0)
  })

  it('names the node that could not get it, and leaves everything as it was', () => {
    const world = servingV1()
    const before = [...world.instances.keys()]
    const message = 'no space left on device'
    world.images = new Map([['node-b', { node: 'node-b', state: 'failed', message }]])
    world.startRollout('v2')
    run(world)
    expect(world.rollouts.get('r2')).toMatchObject({
      state: 'rolled-back',
      failure: {
        node: 'node-b',
        reason: 'could not get the image of v2: no space left on device; nothing was replaced',
      },
    })
    expect(world.rollouts.get('r2')?.message).toMatch(/^node-b could not get the image of v2: .*; v1 serves$/)
    expect([...world.instances.keys()]).toEqual(before)
  })

  it('gives up when nothing has come for as long as its yaml allows, counted from what came last', () => {
    const world = servingV1()
    const web = entrypointSpec({ replicas: 3 })
    world.specs.set('v2', appSpec({ web }, { imageTimeoutMs: 60_000 }))
    world.images = new Map(all.map((node) => [node, { node, state: 'coming' }]))
    world.startRollout('v2')
    round(world)
    world.wait(50_000)
    world.images.set('node-a', { node: 'node-a', state: 'there' })
    round(world)
    world.wait(50_000)
    round(world)
    expect(world.rollout?.state).toBe('running')
    world.wait(20_000)
    round(world)
    expect(world.rollout?.failure).toMatchObject({
      node: 'node-b',
      reason: 'could not get the image of v2 within 60 s; nothing was replaced',
    })
  })

  it('gives a decider that was away its whole time', () => {
    const world = servingV1()
    world.images = new Map([['node-a', { node: 'node-a', state: 'coming' }]])
    world.startRollout('v2')
    round(world)
    world.wait(3_600_000)
    world.restartDecider()
    round(world)
    expect(world.rollout?.state).toBe('running')
  })

  it('does not wait again once something of it is there', () => {
    const world = servingV1()
    world.startRollout('v2')
    round(world)
    expect(ofV2(world)).toHaveLength(1)
    world.images = new Map([['node-c', { node: 'node-c', state: 'failed' }]])
    run(world)
    expect(world.rollouts.get('r2')?.state).toBe('succeeded')
  })

  it('can be paused and aborted meanwhile', () => {
    const world = servingV1()
    world.images = new Map([['node-a', { node: 'node-a', state: 'coming' }]])
    world.startRollout('v2')
    round(world)
    world.move('pause')
    world.wait(3_600_000)
    round(world)
    expect(world.rollout?.state).toBe('paused')
    world.move('abort')
    run(world)
    expect(world.rollouts.get('r2')?.state).toBe('aborted')
    expect(ofV2(world)).toEqual([])
  })
})

describe('a rollout whose image is there', () => {
  it('begins in the very decision in which it is looked at', () => {
    const world = servingV1()
    world.images = new Map(all.map((node) => [node, { node, state: 'there' }]))
    world.startRollout('v2')
    expect(world.decide().some((step) => step.type === 'create')).toBe(true)
    run(world)
    expect(world.rollouts.get('r2')?.images).toBeUndefined()
  })
})
