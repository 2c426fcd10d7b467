import type { GateSpec, RolloutGate } from '../model/index.ts'
import { formatShare } from '../spec/quantities.ts'
import type { RequestSummary } from '../traffic/request-counts.ts'
import type { GateSample, RequestsSample } from './gate-sample.ts'
import { gateText } from './gate-text.ts'

export type MeasuredSpec = Extract<GateSpec, { readonly overMs: number }>
type RequestSpec = Exclude<MeasuredSpec, { readonly type: 'query' }>
type QuerySpec = Extract<MeasuredSpec, { readonly type: 'query' }>

/** Counts of requests come some seconds after them, and queries are asked every so often. */
const lateMs = 20_000
/** What a query has said for longer ago says nothing. */
const staleMs = 60_000

/** What a source's word comes to. `waiting`: it is too early to say. */
export interface Verdict {
  readonly verdict: RolloutGate['verdict']
  readonly message?: string
  readonly nextAt?: number
}

/** `since`: when the stage's instances began to serve. */
export function judgeMeasured(spec: MeasuredSpec, sample: GateSample | undefined, since: number, now: number): Verdict {
  if (spec.type === 'query') return judgeQuery(spec, sample, since, now)
  if (sample?.type !== 'requests') return without(spec, noneText(sample), since, now)
  return judgeRequests(spec, sample, since, now)
}

function judgeRequests(spec: RequestSpec, sample: RequestsSample, since: number, now: number): Verdict {
  const { fresh, toMs } = sample
  const from = Math.max(since, sample.fromMs)
  const enough = fresh.requests >= spec.requests
  // What was lost is lost, however few there were.
  if ((enough || spec.type === 'lost') && violates(spec, fresh)) return { verdict: 'failed', message: saw(spec, fresh) }
  if (toMs === undefined) return without(spec, 'a gateway has not told its counts', from, now)
  if (toMs - from < spec.overMs) return without(spec, 'a gateway has not told its counts', from, now)
  if (!enough) return noData(spec, `fewer than ${spec.requests} requests`)
  return { verdict: 'passed', message: saw(spec, fresh) }
}

function violates(spec: RequestSpec, fresh: RequestSummary): boolean {
  switch (spec.type) {
    case 'errors':
      return fresh.errors5xx * 1000 > spec.most * fresh.requests
    case 'lost':
      return fresh.lost > spec.most
    case 'latency':
      return (fresh[`${spec.quantile}Ms`] ?? 0) > spec.mostMs
  }
}

function saw(spec: RequestSpec, fresh: RequestSummary): string {
  const of = `of ${fresh.requests} requests`
  switch (spec.type) {
    case 'errors':
      return `${gateText(spec)}: ${formatShare(Math.round((fresh.errors5xx * 1000) / Math.max(1, fresh.requests)))} ${of}`
    case 'lost':
      return `${gateText(spec)}: ${fresh.lost} ${of}`
    case 'latency':
      return `${gateText(spec)}: ${Math.round(fresh[`${spec.quantile}Ms`] ?? 0)} ms ${of}`
  }
}

function judgeQuery(spec: QuerySpec, sample: GateSample | undefined, since: number, now: number): Verdict {
  if (sample === undefined || sample.type === 'requests') return without(spec, noneText(undefined), since, now)
  if (sample.type === 'none') return without(spec, sample.message, since, now)
  if (now - sample.at > staleMs) return without(spec, 'it has not been answered for a minute', since, now)
  if (sample.at < since) return { verdict: 'waiting' }
  const { below, above } = spec
  const bad = (below !== undefined && sample.value >= below) || (above !== undefined && sample.value <= above)
  const message = `${gateText(spec)}: ${sample.value}`
  if (bad) return { verdict: 'failed', message }
  return sample.at - since >= spec.overMs ? { verdict: 'passed', message } : { verdict: 'waiting' }
}

const noneText = (sample: GateSample | undefined): string =>
  sample?.type === 'none' ? sample.message : 'nothing is known yet'

/** Until its time is over it waits; then it has no data, which is never a yes. */
function without(spec: MeasuredSpec, why: string, since: number, now: number): Verdict {
  const until = since + spec.overMs + lateMs
  if (now < until) return { verdict: 'waiting', nextAt: until }
  return noData(spec, why)
}

const noData = (spec: MeasuredSpec, why: string): Verdict => ({
  verdict: spec.onNoData === 'rollback' ? 'failed' : 'no-data',
  message: `${gateText(spec)}: no data, ${why}`,
})
