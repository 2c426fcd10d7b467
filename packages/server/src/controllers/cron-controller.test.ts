import type { EntrypointSpec, ScheduleSpec } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import { cronView } from '../views/scheduling-views.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'
import { CronController } from './cron-controller.ts'

const call = { actor: 'token:ana' }
const production = { app: 'shop', pool: 'production' }
const hourMs = 3_600_000

const job = (over: Partial<ScheduleSpec> = {}): Partial<EntrypointSpec> => ({
  type: 'job',
  replicas: 0,
  restart: 'never',
  schedule: { cron: '0 * * * *', zone: 'UTC', overlap: 'skip', history: 3, graceMs: hourMs, ...over },
})

let cluster: TestCluster
let servers: CronController[]

beforeEach(async () => {
  cluster = await TestCluster.start()
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
  await cluster[Symbol.asyncDispose]()
})

/** A server of its own on the same store. */
function startCron(): CronController {
  const { records, state } = cluster
  const server = new CronController({ records, state, log: silent, now: () => Date.now() + cluster.aheadMs })
  servers.push(server)
  return server
}

/** To just after a full hour, so that what is due in an hour is not due before. */
function aheadToHour(hours: number): void {
  const hour = Math.ceil((Date.now() + cluster.aheadMs) / hourMs) + hours - 1
  cluster.aheadMs = hour * hourMs + 1000 - Date.now()
}

const record = () => cluster.state.crons.find('shop', 'production', 'report')
const runs = (): string[] => (record()?.runs ?? []).map(({ state }) => state)
const jobs = () => cluster.state.instances.byPool('shop', 'production').filter((each) => each.type === 'job')
const events = (type: string): string[] =>
  cluster.state.events
    .all()
    .filter((event) => event.type === type)
    .map((event) => `${event.actor} ${event.message}`)

async function deployed(schedule: Partial<ScheduleSpec> = {}): Promise<void> {
  cluster.commits.set('c1', testSpec({ web: {}, report: job(schedule) }))
  await cluster.deploy('c1')
  startCron()
  await cluster.until('the schedule', () => record() !== undefined)
}

/** What a restart of the server is for it. */
async function restartCron(): Promise<void> {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]()
  await startCron().idle()
}

describe('a job that runs by the clock', () => {
  it('runs when it is due, and its end is kept', async () => {
    await deployed()
    expect(record()).toMatchObject({ cron: '0 * * * *', runs: [] })
    expect(record()!.nextAt! % hourMs).toBe(0)
    aheadToHour(1)
    await restartCron()
    await cluster.until('its end', () => runs().join() === 'succeeded')
    expect(record()?.runs[0]).toMatchObject({ instance: 'shop.production.report-1', exitCode: 0 })
    expect(jobs()[0]).toMatchObject({ createdBy: 'system:cron', dueAt: record()?.runs[0]?.dueAt })
    expect(events('job.started')[0]).toContain('system:cron shop.production.report-1 runs v1, due at')
    expect(cronView(cluster.state, 'shop', 'production', 'report')).toMatchObject({
      ...{ cron: '0 * * * *', zone: 'UTC', overlap: 'skip', history: 3 },
      runs: [{ state: 'succeeded' }],
    })
  })

  it('runs once, however many servers start at that moment and however often', async () => {
    await deployed()
    aheadToHour(1)
    for (let round = 0; round < 4; round++) {
      const started = [startCron(), startCron(), startCron()]
      await Promise.all(started.map((server) => server.idle()))
      for (const server of servers.splice(0)) await server[Symbol.asyncDispose]()
    }
    startCron()
    await cluster.until('its end', () => runs().join() === 'succeeded')
    expect(jobs()).toHaveLength(1)
    aheadToHour(1)
    await restartCron()
    await cluster.until('the second', () => runs().join() === 'succeeded,succeeded')
    expect(jobs()).toHaveLength(2)
  })

  it('that was missed is made up for once, and the others are told', async () => {
    await deployed({ graceMs: 2 * hourMs })
    aheadToHour(5)
    await restartCron()
    await cluster.until('its end', () => runs().join() === 'succeeded,missed')
    expect(jobs()).toHaveLength(1)
    expect(events('cron.missed')).toHaveLength(1)
    cluster.aheadMs += 3.6 * hourMs
    await restartCron()
    expect(jobs()).toHaveLength(2)
  })

  it('that fails is told with its code', async () => {
    cluster.broken.add('v1')
    cluster.commits.set('c1', testSpec({ report: job() }))
    await cluster.deploy('c1')
    startCron()
    await cluster.until('the schedule', () => record() !== undefined)
    aheadToHour(1)
    await restartCron()
    await cluster.until('its end', () => runs().join() === 'failed')
    expect(events('cron.failed')[0]).toMatch(/the run of report due at .* failed: exit code 3/)
  })

  it('waits for one that goes on, or takes its place', async () => {
    await deployed()
    cluster.node.jobsHang = true
    aheadToHour(1)
    await restartCron()
    aheadToHour(1)
    await restartCron()
    await cluster.until('it is skipped', () => runs().join() === 'skipped,running')
    cluster.commits.set('c2', testSpec({ web: {}, report: job({ overlap: 'replace', cron: '30 * * * *' }) }))
    await cluster.deploy('c2')
    await servers[0]?.idle()
    cluster.node.jobsHang = false
    aheadToHour(1)
    await restartCron()
    await cluster.until('the next', () => runs().join() === 'succeeded,skipped,replaced')
    expect(
      jobs()
        .filter((each) => each.desired === 'run')
        .map((each) => each.id),
    ).toEqual(['shop.production.report-2'])
  })

  it('runs when somebody asks for it', async () => {
    await deployed()
    const { id } = await cluster.operations.runCron({ ...production, entrypoint: 'report' }, call)
    await cluster.until('its end', () => runs().join() === 'succeeded')
    expect(record()?.runs[0]).toMatchObject({ instance: id, by: 'token:ana' })
    expect(events('job.started')[0]).toContain('token:ana')
    await expect(cluster.operations.runCron({ ...production, entrypoint: 'web' }, call)).rejects.toMatchObject({
      code: 'cron.not-found',
    })
  })

  it('is forgotten with its schedule, and with its pool', async () => {
    await deployed()
    cluster.commits.set('c2', testSpec({ web: {}, report: { type: 'job', replicas: 0 } }))
    await cluster.deploy('c2')
    await cluster.until('it is gone', () => record() === undefined)
    await cluster.deploy('c1')
    await cluster.until('it is back', () => record() !== undefined)
    await cluster.operations.removePool(production, call)
    await cluster.until('all is gone', () => cluster.state.pools.size === 0 && cluster.state.crons.size === 0)
  })
})
