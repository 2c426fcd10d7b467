import { fromRequestCounts, latencyBoundsMs, type RequestRow } from '@berth/core'
import { Counter, type Registry } from 'prom-client'

const labelNames = ['route', 'pool', 'instance'] as const

type Add = (value: number, labels?: Record<string, string>) => void
type Define = (name: string, help: string, more: readonly string[], read: (row: RequestRow, add: Add) => void) => void

/** Of a node's gateway; undefined where there is none. */
export interface MeteredGateway {
  readonly requests: readonly RequestRow[] | undefined
  /** Of nginx since it was started. */
  readonly reloads: number | undefined
}

/** Adds what this node's gateway has counted since the agent began to count: `berth_gateway_*`. */
export function registerRequestMetrics(registry: Registry, gateway: MeteredGateway): void {
  new Counter({
    name: 'berth_gateway_reloads_total',
    help: 'How often nginx has read a changed configuration since it was started.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(gateway.reloads ?? 0)
    },
  })
  const define: Define = (name, help, more, read) => {
    new Counter({
      ...{ name: `berth_gateway_${name}`, help, labelNames: [...labelNames, ...more], registers: [registry] },
      collect() {
        this.reset()
        for (const row of gateway.requests ?? []) {
          const { route, pool, instance } = row
          read(row, (value, labels) => this.inc({ route, pool, instance, ...labels }, value))
        }
      },
    })
  }
  define('requests_total', 'Requests answered to clients, by class.', ['class'], ({ counts }, add) => {
    for (const [index, count] of fromRequestCounts(counts).classes.entries()) add(count, { class: `${index + 1}xx` })
  })
  define('requests_lost_total', 'Requests that no instance answered; they are among the 5xx.', [], ({ counts }, add) =>
    add(fromRequestCounts(counts).lost),
  )
  define('failed_tries_total', 'Tries that failed, whether another instance then answered or not.', [], (row, add) =>
    add(fromRequestCounts(row.counts).failures),
  )
  defineHistogram(define)
}

/** A histogram by its parts: the library's own would count by itself, and the gateway has. */
function defineHistogram(define: Define): void {
  const help = 'How long answers took, websockets not counted.'
  define('request_duration_seconds_bucket', help, ['le'], ({ counts }, add) => {
    let below = 0
    for (const [place, count] of fromRequestCounts(counts).buckets.entries()) {
      below += count
      const bound = latencyBoundsMs[place]
      add(below, { le: bound === undefined ? '+Inf' : String(bound / 1_000) })
    }
  })
  define('request_duration_seconds_sum', help, [], ({ counts }, add) =>
    add(fromRequestCounts(counts).latencySumMs / 1_000),
  )
  define('request_duration_seconds_count', help, [], ({ counts }, add) =>
    add(fromRequestCounts(counts).buckets.reduce((sum, count) => sum + count, 0)),
  )
}
