import { describe, expect, it } from 'vitest'
import type { EntrypointSpec, Instance, InstanceStatus } from '../model/index.ts'
import { appSpec, entrypointSpec, instanceRecord, poolRecord, statusRecord } from './pool-fixtures.testing.ts'
import type { ObservedInstance, PoolSnapshot } from './pool-snapshot.ts'
import { retire } from './retire.ts'

const patience = { nameTtlMs: 1000, gatewayGraceMs: 300_000 }
const hourMs = 3_600_000

function observed(
  over: Partial<ObservedInstance> & { record?: Partial<Instance>; report?: Partial<InstanceStatus> } = {},
) {
  const { record, report, ...rest } = over
  const instance = instanceRecord({
    entrypoint: 'web',
    ordinal: 1,
    node: 'node-a',
    desired: 'drain',
    drainSince: 10_000,
    ...record,
  })
  const status = statusRecord(instance, { phase: 'running', ready: true, ...report })
  return {
    instance,
    status,
    nodeOnline: true,
    since: 0,
    outOfTraffic: true,
    inTraffic: false,
    routed: true,
    inflight: 0,
    ...rest,
  }
}

function snapshot(
  instances: readonly ObservedInstance[],
  over: Partial<PoolSnapshot> = {},
  web: Partial<EntrypointSpec> = {},
): PoolSnapshot {
  const specs = new Map([['v1', appSpec({ web: entrypointSpec(web) })]])
  return { pool: poolRecord({ release: 'v1' }), specs, instances, listeningSince: 0, ...over }
}

/** When a leaving instance is ordered to stop if nothing else happens. */
function stopsAt(from: PoolSnapshot): number {
  const { steps, nextAt } = retire(from, 10_000, patience)
  return steps.some((step) => step.type === 'stop') ? 10_000 : (nextAt ?? Number.POSITIVE_INFINITY)
}

describe('a leaving instance is ordered to stop', () => {
  it.each<[string, PoolSnapshot, number]>([
    ['when its names are forgotten', snapshot([observed()]), 11_000],
    ['at once when it has no ports', snapshot([observed()], {}, { ports: [] }), 10_000],
    ['when its drain time is over while it serves', snapshot([observed({ inflight: 3 })]), 40_000],
    ['later when a gateway has not said that it let it go', snapshot([observed({ outOfTraffic: false })]), 340_000],
    ['at once when it does not run', snapshot([observed({ report: { phase: 'assigned' } })]), 10_000],
    ['at once when it is a job', snapshot([observed({ record: { type: 'job' } })]), 10_000],
    ['not before names can have been told', snapshot([observed()], { listeningSince: 15_000 }), 16_000],
    [
      'not before gateways can have been told',
      snapshot([observed({ outOfTraffic: false })], { listeningSince: 500_000 }),
      801_000,
    ],
    [
      'when its drain time is over, whoever listens',
      snapshot([observed({ inflight: 1 })], { listeningSince: 20_000 }),
      40_000,
    ],
  ])('%s', (_, from, expected) => {
    expect(stopsAt(from)).toBe(expected)
  })
})

describe('a stopped instance is forgotten', () => {
  it.each<[string, ObservedInstance, boolean]>([
    ['when it has ended', observed({ record: { desired: 'stop' }, report: { phase: 'ended' } }), true],
    ['not before', observed({ record: { desired: 'stop' }, report: { phase: 'stopping' } }), false],
    ['not because its node is silent', observed({ record: { desired: 'stop' }, nodeOnline: false }), false],
    ['not when it has ended by itself', observed({ record: { desired: 'run' }, report: { phase: 'ended' } }), false],
  ])('%s', (_, each, expected) => {
    expect(retire(snapshot([each]), 0, patience).steps.some((step) => step.type === 'forget')).toBe(expected)
  })

  it('at once when no node ever had it', () => {
    const instance = instanceRecord({ entrypoint: 'web', ordinal: 1, desired: 'stop' })
    const { status: _, ...rest } = observed()
    expect(retire(snapshot([{ ...rest, instance }]), 0, patience).steps).toEqual([
      { type: 'forget', instance: instance.id },
    ])
  })
})

describe('ended jobs', () => {
  const job = (ordinal: number, endedAt: number) =>
    observed({
      record: { ordinal, type: 'job', desired: 'run', createdAt: endedAt },
      report: { phase: 'ended', endedAt },
    })

  it('stay for a day, the ten newest of them, and the time is looked at again', () => {
    const jobs = Array.from({ length: 12 }, (_, n) => job(n + 1, n * hourMs))
    const plan = retire(snapshot(jobs), 12 * hourMs, patience)
    expect(plan.steps.map((step) => 'instance' in step && step.instance)).toEqual([
      'shop.production.web-2',
      'shop.production.web-1',
    ])
    expect(plan.nextAt).toBe(26 * hourMs)
    expect(retire(snapshot(jobs.slice(2)), 26 * hourMs, patience).steps).toHaveLength(1)
  })

  it('of a schedule stay as many as it says, however old they are, and push out no others', () => {
    const schedule = { cron: '0 * * * *', zone: 'UTC', overlap: 'skip', history: 3, graceMs: 0 } as const
    const single = job(1, 0)
    const runs = Array.from({ length: 12 }, (_, n) => {
      const each = job(n + 2, n * hourMs)
      return { ...each, instance: { ...each.instance, dueAt: n * hourMs } }
    })
    const plan = retire(snapshot([single, ...runs], {}, { schedule }), 12 * hourMs, patience)
    expect(plan.steps.map((step) => 'instance' in step && step.instance)).toEqual(
      [10, 9, 8, 7, 6, 5, 4, 3, 2].map((ordinal) => `shop.production.web-${ordinal}`),
    )
    expect(retire(snapshot(runs.slice(9), {}, { schedule }), 1000 * hourMs, patience)).toEqual({ steps: [] })
  })
})
