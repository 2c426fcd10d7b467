import type { Rollout } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noSource } from '../agents/image-copies.ts'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import type { ArrivalAgents } from './image-arrivals.ts'

let cluster: TestCluster

const names = ['node-a', 'node-b', 'node-c'] as const

/** The image of `c1` is everywhere, that of `c2` on `node-a`; copies end when the test says so. */
class Images implements ArrivalAgents {
  readonly there = new Set(['node-a'])
  readonly asked: string[] = []
  readonly brought: string[] = []
  readonly away = new Set<string>()
  bring: (node: string) => Promise<string | undefined> = async () => undefined

  holdersOf(image: string): ReadonlySet<string> {
    return image === 'sha256:c2' ? this.there : new Set(names)
  }

  isConnected(node: string): boolean {
    return !this.away.has(node)
  }

  async hasImage(image: string, node: string): Promise<boolean> {
    this.asked.push(node)
    return this.holdersOf(image).has(node)
  }

  async bringImage(_: string, node: string): Promise<string | undefined> {
    this.brought.push(node)
    const why = await this.bring(node)
    if (why === undefined) this.there.add(node)
    return why
  }
}

let images: Images

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24')
  await cluster.addNode('node-c', '10.77.3.0/24')
  cluster.commits.set('c1', testSpec({ web: { replicas: 3 } }))
  await cluster.deploy('c1')
  cluster.commits.set('c2', testSpec({ web: { replicas: 3, env: { NEW: 'yes' } } }))
  images = new Images()
  cluster.imageAgents = images
})
afterEach(() => cluster[Symbol.asyncDispose]())

const rollout = (): Rollout | undefined => cluster.state.rollouts.all().find((each) => each.to === 'v2')
const releases = (): string[] => cluster.state.instances.all().map((each) => each.release)
const untilRolloutIs = (what: string, holds: (rollout: Rollout) => boolean): Promise<void> =>
  cluster.until(what, () => {
    const now = rollout()
    return now !== undefined && holds(now)
  })

const deploy = (): Promise<unknown> =>
  cluster.operations.deploy(
    { app: 'shop', pool: 'production', ref: 'c2', force: false, repository: '/repo' },
    { actor: 'test' },
  )

describe('a rollout whose image is on one node of three', () => {
  it('brings it to the others before anything is replaced, and says how far that is', async () => {
    const gates = new Map(names.map((name) => [name as string, Promise.withResolvers<undefined>()]))
    images.bring = (node) => gates.get(node)?.promise ?? Promise.resolve(undefined)
    await deploy()
    await untilRolloutIs('two to be waited for', (each) => each.images?.missing.length === 2)
    expect(rollout()?.images).toMatchObject({ wanted: 3, there: 1, missing: ['node-b', 'node-c'] })
    gates.get('node-b')?.resolve(undefined)
    await untilRolloutIs('one to be waited for', (each) => each.images?.missing.length === 1)
    expect(releases()).toEqual(['v1', 'v1', 'v1'])
    gates.get('node-c')?.resolve(undefined)
    await untilRolloutIs('its end', (each) => each.endedAt !== undefined)
    expect(rollout()).toMatchObject({ state: 'succeeded', images: { wanted: 3, there: 3 } })
    expect([...images.brought].sort()).toEqual(['node-b', 'node-c'])
  })

  it('says which node could not get it after three tries, and replaces nothing', async () => {
    images.bring = async (node) => (node === 'node-c' ? 'no space left on device' : undefined)
    const before = cluster.state.instances.all().map((each) => each.id)
    await deploy()
    await untilRolloutIs('its end', (each) => each.endedAt !== undefined)
    expect(rollout()).toMatchObject({
      state: 'rolled-back',
      failure: {
        node: 'node-c',
        reason: 'could not get the image of v2: no space left on device; nothing was replaced',
      },
    })
    expect(images.brought.filter((each) => each === 'node-c')).toHaveLength(3)
    expect(cluster.state.instances.all().map((each) => each.id)).toEqual(before)
  })

  it('waits for a node that has it to come back', async () => {
    let connected = false
    images.bring = async () => (connected ? undefined : noSource)
    await deploy()
    await cluster.until('five tries', () => images.brought.length > 10)
    expect(rollout()?.state).toBe('running')
    connected = true
    await untilRolloutIs('its end', (each) => each.endedAt !== undefined)
    expect(rollout()?.state).toBe('succeeded')
  })

  it('waits for a node whose agent dials again, and counts no try meanwhile', async () => {
    let tries = 0
    images.bring = async (node) => {
      if (node !== 'node-c') return undefined
      tries += 1
      images.away.add(node)
      return 'the link to node node-c was lost'
    }
    await deploy()
    const comeBack = async (count: number) => {
      await cluster.until(`try ${count}`, () => tries === count)
      images.away.delete('node-c')
    }
    for (let count = 1; count <= 4; count++) await comeBack(count)
    await cluster.until('the fifth', () => tries === 5)
    expect(rollout()?.state).toBe('running')
    images.bring = async () => undefined
    images.away.clear()
    await untilRolloutIs('its end', (each) => each.endedAt !== undefined)
    expect(rollout()?.state).toBe('succeeded')
  })

  it('does not wait for a node that is cordoned meanwhile', async () => {
    images.bring = (node) => (node === 'node-c' ? new Promise(() => {}) : Promise.resolve(undefined))
    await deploy()
    await untilRolloutIs('node-c to be waited for', (each) => each.images?.missing.join() === 'node-c')
    await cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get('node-c')
      if (node !== undefined) tx.put('nodes', { ...node, schedulable: false })
    })
    await untilRolloutIs('its end', (each) => each.endedAt !== undefined)
    expect(rollout()?.state).toBe('succeeded')
  })

  it('goes on with another server where the one before has left off', async () => {
    images.bring = () => new Promise(() => {})
    await deploy()
    await untilRolloutIs('two to be waited for', (each) => each.images?.missing.length === 2)
    await cluster.stopServer()
    images.there.add('node-b')
    images.bring = async () => undefined
    await cluster.startServer()
    for (const name of names) await cluster.connect(name)
    await untilRolloutIs('its end', (each) => each.endedAt !== undefined)
    expect(rollout()?.state).toBe('succeeded')
  })

  it('asks no node where the records say that all have it', async () => {
    for (const name of names) images.there.add(name)
    await deploy()
    await untilRolloutIs('its end', (each) => each.endedAt !== undefined)
    expect(rollout()?.images).toBeUndefined()
    expect(images.asked).toEqual([])
  })
})
