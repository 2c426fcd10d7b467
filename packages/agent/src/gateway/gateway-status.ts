import { toRequestCounts } from '@berth/core'
import type { CounterRow, CountersAnswer, InflightAnswer, StatusReply } from './admin-client.ts'
import type { GatewayStatus, RequestCounters, WorkerCounts } from './gateway.ts'

export const stoppedStatus: GatewayStatus = {
  running: false,
  version: 0,
  pid: 0,
  workers: 0,
  reloads: 0,
  inflight: {},
  requests: [],
  keptRoutes: [],
}

/** One status out of the answers of all workers. A version that not all workers have in force is none. */
export function toStatus(
  pid: number,
  reply: StatusReply<InflightAnswer>,
  counters?: StatusReply<CountersAnswer>,
): GatewayStatus {
  return {
    running: true,
    version: reply.refusals > 0 ? 0 : Math.min(...reply.answers.map((answer) => answer.version)),
    pid,
    workers: reply.workers,
    reloads: reply.reloads,
    inflight: sumByKey(reply.answers.map((answer) => answer.inflight)),
    requests:
      counters === undefined
        ? []
        : toCounters(counters.answers.flatMap((answer) => answer.rows.filter((row) => row.instance !== ''))),
    keptRoutes: reply.kept,
  }
}

/** Counters by worker. */
export const toWorkerCounts = ({ answers, missing }: StatusReply<CountersAnswer>): WorkerCounts => ({
  isComplete: missing === 0,
  hasMore: answers.some(({ more }) => more === true),
  workers: answers.map(({ pid, rows }) => ({
    pid,
    rows: rows.map(({ route, pool, instance, endpoint, since, ...row }) => ({
      ...{ route, pool, instance, key: JSON.stringify([route, pool, instance, endpoint, since]) },
      counts: toRequestCounts({ ...row, latencySumMs: row.latency }),
    })),
  })),
})

function sumByKey(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const [key, value] of parts.flatMap((part) => Object.entries(part))) sum[key] = (sum[key] ?? 0) + value
  return sum
}

/** An instance that came back at another address is the same row. */
function toCounters(rows: readonly CounterRow[]): RequestCounters[] {
  const groups = Map.groupBy(rows, (row) => JSON.stringify([row.route, row.pool, row.instance]))
  return [...groups.values()].map(mergeRows).sort(byName)
}

function mergeRows(rows: readonly CounterRow[]): RequestCounters {
  const { route, pool, instance } = rows[0]!
  const classes = addUp(rows.map((row) => row.classes))
  return {
    route,
    pool,
    instance,
    byClass: {
      '1xx': classes[0] ?? 0,
      '2xx': classes[1] ?? 0,
      '3xx': classes[2] ?? 0,
      '4xx': classes[3] ?? 0,
      '5xx': classes[4] ?? 0,
    },
    count: classes.reduce((sum, value) => sum + value, 0),
    failures: rows.reduce((sum, row) => sum + row.failures, 0),
    lost: rows.reduce((sum, row) => sum + row.lost, 0),
    latencyBuckets: addUp(rows.map((row) => row.buckets)),
    latencySumMs: rows.reduce((sum, row) => sum + row.latency, 0),
  }
}

function addUp(lists: readonly (readonly number[])[]): number[] {
  return (lists[0] ?? []).map((_, place) => lists.reduce((sum, list) => sum + (list[place] ?? 0), 0))
}

const nameOf = (row: RequestCounters): string => `${row.route}\0${row.pool}\0${row.instance}`

function byName(a: RequestCounters, b: RequestCounters): number {
  return nameOf(a) < nameOf(b) ? -1 : 1
}
