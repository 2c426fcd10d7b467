import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }
const hourMs = 3_600_000
/** Longer than anything that is waited for when nothing is in the way. */
const whileMs = 150

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  for (const [ref, command] of Object.entries({ c1: 'serve', c2: 'serve better' }))
    cluster.commits.set(ref, testSpec({ web: { replicas: 3, command: [command] } }, { routes: [webRoute] }))
  await cluster.deploy('c1')
})
afterEach(async () => {
  await cluster[Symbol.asyncDispose]()
  expect([...cluster.nodes.values()].flatMap((node) => node.stoppedInTraffic)).toEqual([])
})

const states = () => cluster.state.rollouts.all().map((each) => each.state)
const desired = (id: string) => cluster.state.instances.get(id)?.desired
const anInstance = () => cluster.state.instances.all()[0]?.id ?? ''

async function restartServer(): Promise<void> {
  await cluster.stopServer()
  await cluster.startServer()
}

describe('a new server on the same store', () => {
  it('leaves alone what is well', async () => {
    const before = cluster.state.instances.all()
    await restartServer()
    await cluster.connect()
    await delay(whileMs)
    expect(cluster.state.instances.all()).toEqual(before)
    await cluster.until('traffic', () => before.every((each) => cluster.traffic.isInTraffic(each.id)))
  })

  it('does not stop a leaving instance on the word of a gateway that routes by an older table', async () => {
    const id = anInstance()
    cluster.node.gatewayStuck = true
    await cluster.operations.stopInstance(id, call)
    await restartServer()
    await cluster.connect()
    cluster.node.reportGateway()
    await delay(whileMs)
    expect(desired(id)).toBe('drain')
    cluster.node.unstickGateway()
    await cluster.until('the stop', () => !cluster.state.instances.has(id))
  })

  it('gives gateways and nodes the time to hear of a leaving instance that the one before did not have', async () => {
    const id = anInstance()
    cluster.node.gatewayStuck = true
    await cluster.operations.stopInstance(id, call)
    await cluster.stopServer()
    cluster.aheadMs = hourMs
    await cluster.startServer()
    await delay(whileMs)
    expect(desired(id)).toBe('drain')
    await cluster.connect()
    cluster.node.unstickGateway()
    await cluster.until('the stop', () => !cluster.state.instances.has(id))
  })

  it('decides nothing by a gateway’s old table, and tells by its own at the latest who is in traffic', async () => {
    const id = anInstance()
    const decided = (): boolean => {
      const instance = cluster.state.instances.get(id)
      return instance !== undefined && cluster.traffic.view(instance).inTraffic
    }
    cluster.node.gatewayStuck = true
    await restartServer()
    expect(cluster.traffic.isInTraffic(id)).toBe(false)
    expect(decided()).toBe(false)
    await cluster.connect()
    cluster.node.reportGateway()
    expect(decided()).toBe(false)
    cluster.node.unstickGateway()
    expect(cluster.traffic.isInTraffic(id)).toBe(true)
    expect(decided()).toBe(true)
  })

  it('fails no rollout for the time in which nobody listened', async () => {
    cluster.node.gatewayStuck = true
    await cluster.operations.restart(production, call)
    await cluster.until('a new one', () => cluster.state.instances.size === 4)
    await cluster.until('its report', () => cluster.state.statuses.all().every((each) => each.ready))
    await cluster.stopServer()
    cluster.aheadMs = hourMs
    await cluster.startServer()
    await delay(whileMs)
    expect(states()).toEqual(expect.arrayContaining(['running']))
    await cluster.connect()
    cluster.node.unstickGateway()
    await cluster.until('the end', () => !states().includes('running'))
    expect(states()).toEqual(['succeeded', 'succeeded'])
  })

  it('goes on with a rollout, a rollback and a removal', async () => {
    cluster.node.gatewayStuck = true
    const { id } = await cluster.operations.restart(production, call)
    await cluster.until('a new one', () => cluster.state.instances.size === 4)
    await restartServer()
    await cluster.operations.abortRollout(id, call)
    await restartServer()
    cluster.node.gatewayStuck = false
    await cluster.connect()
    await cluster.until('the rollback', () => cluster.state.rollouts.get(id)?.state === 'aborted')
    await cluster.operations.removeApp('shop', call)
    await restartServer()
    await cluster.connect()
    await cluster.until('nothing', () => cluster.state.apps.size === 0)
    expect([cluster.state.instances.size, cluster.state.statuses.size, cluster.state.pools.size]).toEqual([0, 0, 0])
  })

  it('gives agents the time to come back before a build fails for want of one', async () => {
    cluster.noBuilder = true
    await cluster.operations.deploy({ ...production, ref: 'c2', force: false }, call)
    await cluster.until('a build', () => cluster.state.builds.all().some((each) => each.state === 'running'))
    await cluster.stopServer()
    cluster.aheadMs = hourMs
    await cluster.startServer()
    await cluster.connect()
    await delay(whileMs)
    cluster.noBuilder = false
    await cluster.until('the build', () => cluster.state.builds.all().every((each) => each.state === 'succeeded'))
  })

  it('runs a build again that the one before has left', async () => {
    cluster.buildGate = new Promise(() => {})
    await cluster.operations.deploy({ ...production, ref: 'c2', force: false }, call)
    await cluster.until('a build', () => cluster.state.builds.all().some((each) => each.state === 'running'))
    cluster.buildGate = Promise.resolve()
    await restartServer()
    await cluster.connect()
    await cluster.until('the new release', () => cluster.state.pools.find('shop', 'production')?.release === 'v2')
  })
})

it('survives a server that comes and goes all the time during a rollout', async () => {
  cluster.commits.set('c3', testSpec({ web: { replicas: 6 } }, { routes: [webRoute] }))
  await cluster.operations.deploy({ ...production, ref: 'c3', force: false }, call)
  for (
    let round = 0;
    round < 40 && !cluster.state.rollouts.all().some((each) => each.to === 'v2' && each.endedAt !== undefined);
    round++
  ) {
    await delay(Math.round(10 + (round % 4) * 15))
    await restartServer()
    await cluster.connect()
  }
  await cluster.until('the end', () => cluster.state.instances.size === 6)
  expect(cluster.state.rollouts.all().find((each) => each.to === 'v2')?.state).toBe('succeeded')
})
