import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../support/load.ts'
import { isLongForm } from '../support/long-form.ts'
import { SimulatedCluster } from '../support/simulated/simulated-cluster.ts'

let cluster: SimulatedCluster | undefined
afterEach(async () => {
  await cluster?.[Symbol.asyncDispose]()
  cluster = undefined
})

const start = async (options: Parameters<typeof SimulatedCluster.start>[0]): Promise<SimulatedCluster> => {
  cluster = await SimulatedCluster.start(options)
  return cluster
}

/** Some of them take ten seconds on a machine of their own, and minutes on one that others use. */
const timeout = 600_000

describe('a cluster of simulated nodes', { timeout }, () => {
  it('runs thousands of instances (long form: ten), each of them once', async () => {
    const [nodes, apps, replicas] = isLongForm ? [100, 10, 1000] : [40, 4, 500]
    const own = await start({ nodes, apps, replicas })
    await own.deploy()
    await own.untilReady(apps * replicas)
    const running = own.running()
    expect(running.size).toBe(apps * replicas)
    const known = await own.instances()
    expect(known).toHaveLength(apps * replicas)
    for (const { id, node } of known) expect(running.get(id)).toEqual([node])
    expect(own.server.memory.rssBytes).toBeLessThan(1024 ** 3)
  })

  it('finds out that a link is half open, and goes on where it was when the agent is back', async () => {
    const own = await start({ nodes: 20, apps: 2, replicas: 40 })
    await own.deploy()
    await own.untilReady(80)
    const silent = own.fleet.node('sim-3')
    const before = [...own.running()].sort()
    silent.hang()
    await own.untilOnline(19)
    silent.wake()
    await own.untilOnline(20)
    await own.untilReady(80)
    expect([...own.running()].sort()).toEqual(before)
  })

  it('believes no nonsense of an agent, and does not go down by it', async () => {
    const own = await start({ nodes: 20, apps: 2, replicas: 40 })
    await own.deploy()
    await own.untilReady(80)
    const [liar, other] = [own.fleet.node('sim-1'), own.fleet.node('sim-2')]
    const [foreign] = other.instances.values()
    const [own1] = liar.instances.values()
    if (foreign === undefined || own1 === undefined) throw new Error('no instances to lie about')
    const lie = { node: liar.name, phase: 'ended' as const, ready: false, restarts: 0 }
    liar.sendText('rubbish\n{"type":"status","instances":7}\n[]\nnull\n{"type":"nobody knows"}\n')
    liar.send({
      type: 'status',
      instances: [
        { ...lie, id: foreign.id },
        { ...lie, id: 'no.such.instance-1' },
      ],
    })
    liar.send({ type: 'status', instances: [{ ...lie, id: own1.id, phase: 'pending' }] })
    liar.send({ type: 'gateway', version: 2 ** 53, inflight: { 'nobody:1': -5 } })
    await until('it is logged', async () => own.server.log.includes('is not believed'), 60_000)
    expect(await own.ready()).toBe(80)
    expect(own.server.log).toContain('agent.invalid-line')
    liar.sendText('x'.repeat(9_000_000))
    await until('its link is cut', async () => !liar.isLinked, 60_000)
    await own.untilOnline(20)
    await own.untilReady(80)
  })

  it('gets all its agents back after the server was killed, without a stampede', async () => {
    const nodes = 300
    // Each dials when it wants to, as machines do.
    const own = await start({
      nodes,
      apps: 2,
      replicas: 300,
      handshakes: nodes,
      more: '      reschedule: {after: never}\n',
    })
    await own.deploy()
    await own.untilReady(600)
    const before = [...own.running()].sort()
    const dials = own.fleet.nodes.reduce((sum, node) => sum + node.dials, 0)
    await own.restartServer()
    const again = own.fleet.nodes.reduce((sum, node) => sum + node.dials, 0)
    await until('all links', async () => own.fleet.linked === nodes, 240_000)
    await own.untilOnline(nodes)
    await own.untilReady(600)
    expect([...own.running()].sort()).toEqual(before)
    // Once the server was there nobody had to try often.
    const since = own.fleet.nodes.reduce((sum, node) => sum + node.dials, 0) - again
    expect(again).toBeGreaterThanOrEqual(dials)
    expect(since).toBeLessThan(nodes * 3)
  })

  it('leaves nothing twice when a node that was given up comes back', async () => {
    const own = await start({ nodes: 20, apps: 2, replicas: 40, more: '      reschedule: {after: 1s}\n' })
    await own.deploy()
    await own.untilReady(80)
    const lost = own.fleet.node('sim-5')
    const had = lost.instances.size
    expect(had).toBeGreaterThan(0)
    lost.die()
    await own.untilOnline(19)
    await own.untilReady(80)
    void lost.start()
    await own.untilOnline(20)
    const once = async () => {
      const running = own.running()
      return running.size === 80 && [...running.values()].every((nodes) => nodes.length === 1)
    }
    await until('each runs once', once, 240_000)
    await own.untilReady(80)
    await delay(500)
    expect(await once()).toBe(true)
  })
})
