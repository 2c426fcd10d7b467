import type { RequestSummary } from './request-counts.ts'

export interface PoolOfRequests {
  readonly app: string
  readonly pool: string
  /** Absent: of all of them. */
  readonly entrypoint?: string | undefined
}

export interface GenerationRequests extends RequestSummary {
  readonly generation: number
  readonly release: string
}

/** What became of a pool's requests within a time, over all gateways. */
export interface TrafficWindow {
  /** Also those that met a route without a member, which are no generation's. */
  readonly all: RequestSummary
  /** Those that had requests, the oldest first. */
  readonly generations: readonly GenerationRequests[]
  /** Since when this server counts; what came before within the window is not known. */
  readonly knownFromMs: number
  /** Until when every gateway that is online has told its counts. Undefined: one has never, or there is none; then the numbers say nothing. */
  readonly knownToMs?: number
}

/**
 * Requests as the gateways count them. A window is exact to 5 seconds within the last ten minutes and to a minute before, for six hours.
 * Counts arrive about 2 seconds after the requests: who decides by them looks at `knownToMs`.
 */
export interface TrafficStats {
  window(of: PoolOfRequests, fromMs: number, toMs: number): TrafficWindow
}
