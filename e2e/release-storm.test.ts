import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RolloutView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { seededRandom } from './support/faults/fault-plan.ts'
import { startLoad, until } from './support/load.ts'
import { isLongForm } from './support/long-form.ts'

/** Releases and rollbacks one after the other, while anything is killed, under load all the while. */
const rounds = isLongForm ? 100 : 10
const replicas = 10
const connections = 16
const seed = Number(process.env.BERTH_TEST_SEED ?? Date.now() % 1_000_000)
const victims = ['server', 'agent', 'gateway worker', 'instance', 'nobody'] as const
type Victim = (typeof victims)[number]

let cluster: Cluster
let shop: Repository

beforeAll(async () => {
  cluster = await Cluster.start()
  shop = await cluster.repository('shop', webApp({ replicas, version: '0' }))
  await cluster.mustBerth(['deploy'], { cwd: shop.path })
})
afterAll(() => cluster[Symbol.asyncDispose]())

const rollouts = async (): Promise<readonly RolloutView[]> =>
  (await cluster.client.list('listRollouts', { query: { app: 'shop' } })).items

/** Of the host's processes, those whose parent is nginx's master. */
async function gatewayWorkers(): Promise<readonly number[]> {
  const pidFile = join(cluster.first.dir, 'berth/agent/gateway/private/nginx.pid')
  const { stdout } = await cluster.first.exec(['pgrep', '-P', readFileSync(pidFile, 'utf8').trim()])
  return stdout.trim().split('\n').map(Number)
}

async function kill(victim: Victim, random: () => number): Promise<void> {
  const oneOf = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
  if (victim === 'nobody') return
  if (victim === 'server' || victim === 'agent') return void process.kill(await cluster.pidOf(victim), 'SIGKILL')
  const inHost = victim === 'instance' ? oneOf(await cluster.containers())?.pid : oneOf(await gatewayWorkers())
  if (inHost === undefined) throw new Error(`no ${victim} is there`)
  await cluster.first.exec(['kill', '-KILL', String(inHost)])
}

/** Resolves with its end; kills when about half of the instances are replaced. */
async function roll(start: () => Promise<unknown>, victim: Victim, random: () => number): Promise<RolloutView> {
  const known = new Set((await rollouts()).map(({ id }) => id))
  let isDone = false
  const started = start().finally(() => {
    isDone = true
  })
  const fresh = await until('a rollout', async () => (await rollouts()).find(({ id }) => !known.has(id)), 120_000)
  let isKilled = false
  const ended = await until(
    'the end of the rollout',
    async () => {
      const rollout = await cluster.client.call('getRollout', { params: { id: fresh.id } })
      if (!isKilled && (rollout.progress.web?.newReady ?? 0) >= replicas / 2) {
        isKilled = true
        await kill(victim, random)
      }
      return rollout.endedAt !== undefined && rollout
    },
    180_000,
    150,
  )
  await started
  expect(isDone && isKilled).toBe(true)
  return ended
}

/** What may be lost: of an instance what it served, of a gateway's worker the connections that the kernel closes with it. */
const bound = (victim: Victim): number => (victim === 'instance' || victim === 'gateway worker' ? connections : 0)

it(`${rounds} rollouts and rollbacks of ${replicas} instances with kills in between lose nothing but what the killed one served (seed ${seed})`, {
  timeout: rounds * 200_000,
}, async () => {
  const random = seededRandom(seed)
  let requests = 0
  const begunAt = performance.now()
  const lost: string[] = []
  for (let round = 1; round <= rounds; round++) {
    // Each comes as often as another, in an order that the seed gives.
    const victim = round <= victims.length ? victims[round - 1]! : victims[Math.floor(random() * victims.length)]!
    const isRollback = round % 2 === 0
    if (!isRollback) await shop.commit(webApp({ replicas, version: String(round) }))
    const traffic = startLoad(`${cluster.gatewayUrl}/`, {
      host: 'shop.test',
      connections,
      pauseMs: isLongForm ? 8 : 24,
    })
    const start = () => cluster.mustBerth(isRollback ? ['rollback', 'shop', '-y'] : ['deploy'], { cwd: shop.path })
    const rollout = await roll(start, victim, random)
    const report = await traffic.stop()
    requests += report.requests
    const what = `round ${round}, ${isRollback ? 'rollback' : 'release'}, killed: ${victim}`
    lost.push(...report.failures.map((failure) => `${what}: ${failure}`))
    expect({ what, state: rollout.state, message: rollout.message }).toMatchObject({ what, state: 'succeeded' })
    expect(report.failures.length, `${what}: ${report.failures.join('; ')}`).toBeLessThanOrEqual(bound(victim))
    const { items } = await cluster.client.list('listInstances', { query: { app: 'shop' } })
    const running = items.filter(({ desired, phase }) => desired === 'run' && phase !== 'ended')
    expect(new Set(running.map(({ release }) => release)).size).toBe(1)
  }
  const perSecond = requests / ((performance.now() - begunAt) / 1000)
  console.log(
    `${requests} requests, ${perSecond.toFixed(0)} a second over all; lost with what was killed: ${lost.length}`,
  )
  for (const each of lost) console.log(`  ${each}`)
  if (isLongForm) expect(perSecond).toBeGreaterThanOrEqual(1_000)
})
