import { setTimeout as delay } from 'node:timers/promises'
import type { PortRouteSpec } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { portRouteProblems } from '../views/port-route-problems.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'test' }
const db = (listen: number, more: Partial<PortRouteSpec> = {}): PortRouteSpec => ({
  ...{ protocol: 'tcp', listen, entrypoint: 'web', port: 'http' },
  ...more,
})

let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(async () => {
  await cluster[Symbol.asyncDispose]()
  expect([...cluster.nodes.values()].flatMap((node) => node.stoppedInTraffic)).toEqual([])
})

const members = () =>
  cluster.traffic
    .portRoutes()
    .map(({ port, protocol, members }) => `${port}/${protocol} ${members.map(({ state }) => state).join(' ')}`)
const stateOf = (rollout: string) => cluster.state.rollouts.get(rollout)?.state

describe('a route of a port', () => {
  it('has its pool’s instances, which a rollout takes into it and out of it as it does by HTTP', async () => {
    cluster.commits.set(
      'c1',
      testSpec({ web: { replicas: 2 } }, { portRoutes: [db(5432), db(53, { protocol: 'udp' })] }),
    )
    await cluster.deploy('c1')
    await cluster.until('both', () => members().join() === '53/udp active active,5432/tcp active active')
    const { id } = await cluster.operations.restart({ app: 'shop', pool: 'production' }, call)
    await cluster.until('the end', () => stateOf(id) === 'succeeded')
    const views = () => cluster.state.instances.all().map((each) => cluster.traffic.view(each))
    await cluster.until('both in traffic', () => views().length === 2 && views().every(({ inTraffic }) => inTraffic))
    expect(views().every(({ routed }) => routed)).toBe(true)
    cluster.commits.set('c2', testSpec({ web: { replicas: 2 } }))
    await cluster.deploy('c2')
    expect(members()).toEqual([])
  })

  it('of a member that drains waits for its connections, up to the limit', async () => {
    cluster.commits.set('c1', testSpec({ web: { drainMs: 60_000 } }, { portRoutes: [db(5432)] }))
    await cluster.deploy('c1')
    const old = cluster.state.instances.all()[0]!
    // From here on the gateway's word is this test's.
    cluster.node.gatewayStuck = true
    const { id } = await cluster.operations.restart({ app: 'shop', pool: 'production' }, call)
    const desired = () => {
      const inflight = { [`${old.address}:8080`]: 1 }
      cluster.traffic.report('node-a', { version: cluster.traffic.table.version, inflight })
      return cluster.state.instances.get(old.id)?.desired
    }
    await cluster.until('the drain', () => desired() === 'drain')
    for (let look = 0; look < 6; look++) {
      await delay(50)
      expect(desired()).toBe('drain')
    }
    cluster.node.unstickGateway()
    await cluster.until('the end', () => stateOf(id) === 'succeeded')
  })

  it('is refused where another has it, naming who', async () => {
    cluster.commits.set('c1', testSpec({ web: {} }, { portRoutes: [db(5432)] }))
    await cluster.deploy('c1')
    const other = (listen: number, more: Partial<PortRouteSpec> = {}) => {
      cluster.commits.set(
        'o1',
        testSpec(
          { web: {} },
          { portRoutes: [db(listen, more)], environments: { staging: { env: {}, entrypoints: {} } } },
        ),
      )
      return cluster.deploy('o1', 'staging')
    }
    await expect(other(5432)).rejects.toThrow(
      'port 5432/tcp cannot lead to web: it is the route of shop/production; give the route another port',
    )
    await expect(other(443)).rejects.toThrow('port 443/tcp cannot lead to web: the gateways take HTTPS there')
    await cluster.operations.publishPort('shop.production.web-1', { hostPort: 6000, port: 8080, protocol: 'tcp' }, call)
    await expect(other(6000)).rejects.toThrow(
      'port 6000/tcp cannot lead to web: at gateway node-a it leads to shop.production.web-1, which is published there',
    )
    await expect(
      cluster.operations.publishPort('shop.production.web-1', { hostPort: 5432, port: 8080, protocol: 'tcp' }, call),
    ).rejects.toThrow('node-a is a gateway, and port 5432 of the gateways is a route of shop/production')
    await other(5432, { protocol: 'udp' })
  })

  it('makes a gateway with an older agent a problem that says what to do', async () => {
    const problems = () => portRouteProblems(cluster.state, cluster.state.nodes.get('node-a')!)
    expect(problems()).toEqual([])
    cluster.commits.set('c1', testSpec({ web: {} }, { portRoutes: [db(5432)] }))
    await cluster.deploy('c1')
    expect(problems()).toEqual([
      'its agent knows no routes of ports, and serves nobody at 5432/tcp; upgrade it (berth node upgrade node-a)',
    ])
    await cluster.records.commit('system:test', (tx) => {
      const status = cluster.state.nodeStatuses.get('node-a')
      if (status !== undefined) tx.put('nodeStatuses', { ...status, abilities: ['port-routes'] })
    })
    expect(problems()).toEqual([])
    cluster.commits.set('c2', testSpec({ web: {} }, { portRoutes: [db(5432, { stickyMs: 3_600_000 })] }))
    await cluster.deploy('c2')
    expect(cluster.traffic.table.ports?.[0]?.stickyMs).toBe(3_600_000)
    expect(problems()).toEqual([
      'its agent keeps no client with its instance at 5432/tcp, which are sticky; upgrade it (berth node upgrade node-a)',
    ])
  })
})
