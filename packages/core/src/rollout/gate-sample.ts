import type { RequestSummary } from '../traffic/request-counts.ts'

/** What the source of one gate says, as of now. */
export type GateSample =
  | RequestsSample
  /** Of a query. */
  | { readonly type: 'value'; readonly value: number; readonly at: number }
  /** It says nothing, and why. */
  | { readonly type: 'none'; readonly message: string; readonly at: number }

/** Requests since `fromMs`, by generation. */
export interface RequestsSample {
  readonly type: 'requests'
  /** Since when they are known: no earlier than the stage's instances serve. */
  readonly fromMs: number
  /** Until when; absent: a gateway keeps silent, and the numbers say nothing. */
  readonly toMs?: number
  readonly fresh: RequestSummary
}
