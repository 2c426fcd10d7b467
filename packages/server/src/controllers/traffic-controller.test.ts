import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'
import { GatewayReports } from './gateway-reports.ts'
import type { PretendedNode } from './pretended-node.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }
/** Longer than anything that is waited for when nothing is in the way. */
const whileMs = 150

let cluster: TestCluster
let other: PretendedNode

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24')
  const node = cluster.nodes.get('node-b')
  if (node === undefined) throw new Error('no node-b')
  other = node
  cluster.commits.set('c1', testSpec({ web: { replicas: 2 }, worker: {} }, { routes: [webRoute] }))
  await cluster.deploy('c1')
})
afterEach(async () => {
  await cluster[Symbol.asyncDispose]()
  expect([...cluster.nodes.values()].flatMap((node) => node.stoppedInTraffic)).toEqual([])
})

const web = () => cluster.state.instances.all().filter((each) => each.entrypoint === 'web')
const view = (id: string) => {
  const instance = cluster.state.instances.get(id)
  if (instance === undefined) throw new Error(`no instance ${id}`)
  return cluster.traffic.view(instance)
}
const isRunning = (gateway: boolean) =>
  cluster.records.commit('system:test', (tx) => {
    const status = cluster.state.nodeStatuses.get('node-b')
    if (status !== undefined) tx.put('nodeStatuses', { ...status, gateway })
  })

describe('with two gateways', () => {
  it('an instance is in traffic when both have it, and out of it when both have let it go', async () => {
    const id = web()[0]?.id ?? ''
    await cluster.until('traffic', () => view(id).inTraffic)
    other.gatewayStuck = true
    await cluster.operations.stopInstance(id, call)
    await cluster.until('the word of one', () => cluster.node.table?.version === cluster.traffic.table.version)
    await delay(whileMs)
    expect(view(id)).toMatchObject({ inTraffic: false, outOfTraffic: false })
    expect(cluster.state.instances.get(id)?.desired).toBe('drain')
    expect(cluster.traffic.gatewaysBehind(id)).toEqual(['node-b'])
    other.unstickGateway()
    await cluster.until('the stop', () => !cluster.state.instances.has(id))
  })

  it('one that is cut off holds back no new instance, and every old one until its node is removed', async () => {
    const old = web().map((each) => each.id)
    other.gatewayStuck = true
    other.disconnect()
    await cluster.setOnline('node-b', false)
    await cluster.operations.restart(production, call)
    const drains = () => old.filter((id) => cluster.state.instances.get(id)?.desired === 'drain')
    await cluster.until('a new one in traffic', () => drains().length > 0)
    await delay(whileMs)
    expect(drains()).toHaveLength(1)
    await cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get('node-b')
      if (node !== undefined) tx.put('nodes', { ...node, labels: {} })
    })
    await cluster.until('the end', () => cluster.state.rollouts.all().every((each) => each.endedAt !== undefined))
    expect(cluster.state.rollouts.all().map((each) => each.state)).toEqual(['succeeded', 'succeeded'])
    other.stoppedInTraffic.length = 0
  })

  it('one whose nginx does not run holds back nothing that is new', async () => {
    other.gatewayStuck = true
    await isRunning(false)
    const { id } = await cluster.operations.restart(production, call)
    const fresh = () => web().filter((each) => each.rollout === id)
    await cluster.until('a new one in traffic', () => fresh().some((each) => view(each.id).inTraffic))
    await isRunning(true)
    other.unstickGateway()
    await cluster.until('the end', () => cluster.state.rollouts.get(id)?.state === 'succeeded')
  })

  it('one that is none any more and still serves what it has begun holds back every old one until it has ended', async () => {
    const old = web().map((each) => each.id)
    other.gatewayStuck = true
    await cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get('node-b')
      if (node !== undefined) tx.put('nodes', { ...node, labels: {} })
    })
    const { id } = await cluster.operations.restart(production, call)
    const drains = () => old.filter((each) => cluster.state.instances.get(each)?.desired === 'drain')
    await cluster.until('a new one in traffic', () => drains().length > 0)
    await delay(whileMs)
    expect(drains()).toHaveLength(1)
    expect(old.every((each) => cluster.state.instances.has(each))).toBe(true)
    expect(other.stoppedInTraffic).toEqual([])
    await isRunning(false)
    await cluster.until('the end', () => cluster.state.rollouts.get(id)?.state === 'succeeded')
    other.stoppedInTraffic.length = 0
  })

  it('one that never ends is waited for no longer than it may take', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { state } = cluster
    using reports = new GatewayReports({ state, isOnline: () => true, onGivenUp: resolve, endingMs: 20 })
    // Nobody has reported anything: this version is in force wherever a gateway does not end.
    expect(reports.inForceEverywhere(-1)).toBe(true)
    await cluster.records.commit('system:test', (tx) => {
      const node = state.nodes.get('node-b')
      if (node !== undefined) tx.put('nodes', { ...node, labels: {} })
    })
    reports.nodeChanged('node-b')
    expect(reports.inForceEverywhere(-1)).toBe(false)
    await promise
    expect(reports.inForceEverywhere(-1)).toBe(true)
    reports.statusChanged('node-b')
    expect(reports.inForceEverywhere(-1)).toBe(true)
  })

  it('none that answers: a rollout goes back and says so', async () => {
    cluster.commits.set('c2', testSpec({ web: { replicas: 2, readyTimeoutMs: 300 } }, { routes: [webRoute] }))
    cluster.node.gatewayStuck = true
    other.gatewayStuck = true
    const rollout = () => cluster.state.rollouts.all().find((each) => each.to === 'v2')
    await cluster.operations.deploy({ ...production, ref: 'c2', force: false }, call)
    await cluster.until('the failure', () => rollout()?.state === 'rolling-back')
    expect(rollout()?.failure?.reason).toBe('is ready, but no gateway has taken it into traffic for 0 s')
    expect(web().filter((each) => each.release === 'v1' && each.desired === 'run')).toHaveLength(2)
    cluster.node.unstickGateway()
    other.unstickGateway()
    await cluster.until('the end', () => rollout()?.state === 'rolled-back')
  })
})

it('what no route leads to waits for no gateway to come up', async () => {
  cluster.node.gatewayStuck = true
  other.gatewayStuck = true
  const worker = cluster.state.instances.all().find((each) => each.entrypoint === 'worker')
  expect(cluster.traffic.view(worker ?? (web()[0] as never))).toMatchObject({ routed: false })
  await cluster.operations.stopInstance(worker?.id ?? '', call)
  await cluster.until('the stop', () => !cluster.state.instances.has(worker?.id ?? ''))
})

it('losing every commit is no busy loop', async () => {
  let tries = 0
  cluster.records.attempt = async () => {
    tries += 1
    return { ok: false, revision: cluster.state.revision }
  }
  await cluster.operations.scale({ ...production, replicas: { worker: 2 }, dryRun: false }, call)
  const startedAt = performance.now()
  await cluster.until('tries', () => tries > 8)
  await delay(200)
  // Twenty in 400 ms would be too many; a busy machine makes fewer.
  expect(tries / (performance.now() - startedAt)).toBeLessThan(20 / 400)
})

describe('with gateways of two sites', () => {
  const setSite = (name: string, site: string) =>
    cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get(name)
      if (node !== undefined) tx.put('nodes', { ...node, labels: { ...node.labels, site } })
    })
  const routeAt = (name: string) => cluster.nodes.get(name)?.table?.routes[0]
  const nodesOf = (targets: readonly { readonly members: readonly { readonly instance: string }[] }[] = []) =>
    targets.flatMap(({ members }) => members.map(({ instance }) => cluster.state.instances.get(instance)?.node))

  it('each is led to its own instances first, elsewhere when they are gone, and anew when a label changes', async () => {
    await setSite('node-a', 'eu')
    await setSite('node-b', 'us')
    await cluster.until('their own', () => nodesOf(routeAt('node-a')?.targets).join() === 'node-a')
    expect(nodesOf(routeAt('node-a')?.far?.targets)).toEqual(['node-b'])
    expect(routeAt('node-a')?.far?.share).toBe(0)
    await cluster.until('their own', () => nodesOf(routeAt('node-b')?.targets).join() === 'node-b')
    expect(JSON.stringify(cluster.node.table)).not.toContain('"site"')
    await setSite('node-b', 'eu')
    await cluster.until('both', () => nodesOf(routeAt('node-a')?.targets).length === 2)
    expect(routeAt('node-a')?.far).toBeUndefined()
    await setSite('node-b', 'us')
    await cluster.until('its own', () => nodesOf(routeAt('node-a')?.targets).join() === 'node-a')
    const mine = web().find((each) => each.node === 'node-a')
    await cluster.records.commit('system:test', (tx) => {
      const status = cluster.state.statuses.get(mine?.id ?? '')
      if (status !== undefined) tx.put('statuses', { ...status, ready: false })
    })
    await cluster.until('the other', () => nodesOf(routeAt('node-a')?.targets).join() === 'node-b')
  })
})
