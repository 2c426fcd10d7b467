import type { InstanceShare } from './instance-share.ts'

/** A part of a rollout: how far it goes before it waits, and what must be true before the next part begins. */
export interface StageSpec {
  readonly name: string
  /** How many of each service are of the new release at its end; a share is rounded up. Absent: all. */
  readonly instances?: InstanceShare
  /** Those at these sites (nodes' label `site`) are replaced, and the new ones go there. */
  readonly sites?: readonly string[]
  /** Only of these services; the others stay as earlier stages have left them. Absent: of all. */
  readonly entrypoints?: readonly string[]
  /** All instances of the old release stay beside the new ones while it lasts. */
  readonly beside?: true
  /** Thousandths of its routes' requests that go to the new release while it lasts. Absent: each instance gets its share. */
  readonly traffic?: number
  /** It has so many thousandths of them first, and `traffic` after so long. Absent: at once. */
  readonly grow?: { readonly from: number; readonly overMs: number }
  /** In order; all of them have to pass. */
  readonly gates: readonly GateSpec[]
  /** One after the other, before the first instance of it is replaced. Absent: none. */
  readonly before?: readonly StageHookSpec[]
  /** One after the other, once its gates have passed, before the next stage begins. */
  readonly after?: readonly StageHookSpec[]
}

/** What is run or told before or after a stage. It may happen more than once, never not at all. */
export type StageHookSpec = (
  | { readonly type: 'job'; readonly job: string }
  /** Posted to, and expected to answer with 2xx. An admin has to have allowed it. */
  | { readonly type: 'url'; readonly url: string }
) & {
  /** How long it may take, all tries together. */
  readonly timeoutMs: number
  /** `hold`: the stage goes no further until a person says so. */
  readonly onFailure: 'hold' | 'rollback'
}

/** What a stage waits for once its instances serve. One without data never passes. */
export type GateSpec =
  /** All new instances have served for so long without a break. */
  | { readonly type: 'health'; readonly forMs: number }
  /** Somebody says so (`berth rollout continue`). */
  | { readonly type: 'person' }
  /** A run of this job of the new release, begun when the stage's instances serve, ends with code 0. */
  | { readonly type: 'job'; readonly job: string }
  /** Of the new release's requests no more than so many thousandths were answered 5xx. */
  | (MeasuredGate & { readonly type: 'errors'; readonly most: number; readonly requests: number })
  /** Its answers came within that time, but for the slowest 50, 5 or 1 %. */
  | (MeasuredGate & {
      readonly type: 'latency'
      readonly quantile: LatencyQuantile
      readonly mostMs: number
      readonly requests: number
    })
  /** No more than so many of its requests got no answer of an instance. */
  | (MeasuredGate & { readonly type: 'lost'; readonly most: number; readonly requests: number })
  /** What Prometheus says is below, or above, a number at each look. */
  | (MeasuredGate & {
      readonly type: 'query'
      readonly query: string
      readonly below?: number
      readonly above?: number
    })

export type LatencyQuantile = 'p50' | 'p95' | 'p99'

export interface MeasuredGate {
  /** It passes when that was so for so long. */
  readonly overMs: number
  /** What to do when there is nothing to go by when its time is over. It never passes. */
  readonly onNoData: 'hold' | 'rollback'
}

export type GateType = GateSpec['type']
