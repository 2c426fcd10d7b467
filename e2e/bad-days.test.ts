import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView, RolloutView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

let cluster: Cluster
let shop: Repository
let version = 1

beforeAll(async () => {
  cluster = await Cluster.start()
  shop = await cluster.repository('shop', webApp({ replicas: 4, version: '1' }))
  await cluster.mustBerth(['deploy'], { cwd: shop.path })
})
afterAll(() => cluster[Symbol.asyncDispose]())

const ps = async (): Promise<InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.slice()
const allServe = () =>
  until(
    'all to serve',
    async () => {
      const all = await ps()
      return all.length === 4 && all.every((each) => each.inTraffic)
    },
    60_000,
  )
const load = () => startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 8 })

/** Deploys a new version and calls `halfWay` once half of the instances are replaced. */
async function deployWith(halfWay: () => Promise<void>): Promise<RolloutView> {
  version += 1
  await shop.commit(webApp({ replicas: 4, version: String(version) }))
  const { client } = cluster
  const { build } = await client.call('deploy', {
    params: { app: 'shop' },
    body: { repository: shop.path, pool: 'production' },
  })
  let done = false
  return until(
    'the end of the rollout',
    async () => {
      const { rollout: id, error } = await client.call('getBuild', { params: { id: build?.id ?? '' } })
      if (error !== undefined) throw new Error(error.message)
      if (id === undefined) return undefined
      const rollout = await client.call('getRollout', { params: { id } })
      if (!done && (rollout.progress.web?.newReady ?? 0) >= 2) {
        done = true
        await halfWay()
      }
      return rollout.endedAt !== undefined && rollout
    },
    120_000,
    150,
  )
}

describe('a process is killed', () => {
  it('agent: containers, addresses and traffic go on; it adopts them', async () => {
    const before = await cluster.containers()
    const traffic = load()
    const agent = await cluster.pidOf('agent')
    process.kill(agent, 'SIGKILL')
    await until('another agent to answer', async () => {
      const metrics = await cluster.first.exec(['curl', '-sf', 'http://127.0.0.1:7602/metrics'])
      return (await cluster.pidOf('agent')) !== agent && metrics.stdout.includes('berth_')
    })
    expect((await traffic.stop()).failures).toEqual([])
    expect(await cluster.containers()).toEqual(before)
  })

  it.each(['agent', 'server'] as const)(
    '%s half-way through a rollout: it ends well and no request is lost',
    async (victim) => {
      await allServe()
      const traffic = load()
      const rollout = await deployWith(async () => void process.kill(await cluster.pidOf(victim), 'SIGKILL'))
      const report = await traffic.stop()
      expect(rollout.state).toBe('succeeded')
      expect(report.failures).toEqual([])
      expect(report.requests).toBeGreaterThan(500)
    },
  )

  it('server: everything serves while it is away, and names resolve', async () => {
    await allServe()
    const [first] = await cluster.containers()
    const server = await cluster.pidOf('server')
    process.kill(server, 'SIGSTOP')
    try {
      const traffic = load()
      const lookUp = await cluster.first.exec(['docker', 'exec', first?.name ?? '', 'nslookup', 'web.shop.berth'])
      expect(lookUp.stdout).toContain(first?.address)
      expect((await traffic.stop()).failures).toEqual([])
    } finally {
      process.kill(server, 'SIGCONT')
    }
    await allServe()
  })

  it('dockerd: every container keeps its process and address, and serves on', async () => {
    await allServe()
    const before = await cluster.containers()
    const traffic = load()
    await cluster.first.killDockerd('SIGKILL')
    await cluster.first.startDockerd()
    await until('the agent to see Docker', async () => (await ps()).every((each) => each.ready))
    expect((await traffic.stop()).failures).toEqual([])
    expect(await cluster.containers()).toEqual(before)
    await cluster.mustBerth(['scale', 'shop/web', '5'])
    await until('a new one', async () => (await ps()).filter((each) => each.inTraffic).length === 5)
    await cluster.mustBerth(['scale', 'shop/web', '4'])
    await allServe()
  })

  it('an instance: only what it was serving may fail, and it is back by itself', async () => {
    await allServe()
    const [victim] = await cluster.containers()
    const traffic = load()
    process.kill((await cluster.first.outerPid(victim?.pid ?? 0)) ?? victim?.pid ?? 0, 'SIGKILL')
    await until(
      'it to be back',
      async () => (await ps()).some((each) => each.id === victim?.name && each.restarts === 1 && each.inTraffic),
      60_000,
    )
    const report = await traffic.stop()
    expect(report.failures.length).toBeLessThanOrEqual(8)
  })
})

describe('a machine is lost for a while', () => {
  it('a reboot: what ran runs again, with the same addresses, and serves', async () => {
    await allServe()
    const before = await cluster.containers()
    const rebootedAt = Date.now()
    await cluster.reboot()
    await until(
      'all to be ready anew',
      async () => (await ps()).every((each) => (each.readyAt ?? 0) > rebootedAt && each.ready),
      60_000,
    )
    await allServe()
    expect((await cluster.containers()).map(({ name, address }) => ({ name, address }))).toEqual(
      before.map(({ name, address }) => ({ name, address })),
    )
    const traffic = load()
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect((await traffic.stop()).failures).toEqual([])
  })
})
