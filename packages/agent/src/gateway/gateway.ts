import type { latencyBoundsMs, RequestRow, RouteTable } from '@berth/core'

export interface CallOptions {
  readonly signal?: AbortSignal
}

/** What one instance did for one route since nginx started (the counters restart at 0 with it, as Prometheus expects). */
export interface RequestCounters {
  readonly route: string
  readonly pool: string
  readonly instance: string
  /** Requests answered to clients, by the answer's class. */
  readonly byClass: Readonly<Record<'1xx' | '2xx' | '3xx' | '4xx' | '5xx', number>>
  /** Sum of `byClass`. */
  readonly count: number
  /** Tries that failed at this instance, whether another instance then answered or not. */
  readonly failures: number
  /** Requests that no instance answered, this one being tried last; they are among the `5xx`. */
  readonly lost: number
  /** Per bucket of {@link latencyBoundsMs}, plus a last one for everything slower; not cumulative. */
  readonly latencyBuckets: readonly number[]
  readonly latencySumMs: number
}

/** Counters of each worker. With the same `key` they only grow. */
export interface WorkerCounts {
  /** Every worker answered. */
  readonly isComplete: boolean
  /** Some have more to tell: ask again. */
  readonly hasMore: boolean
  readonly workers: readonly {
    readonly pid: number
    readonly rows: readonly (RequestRow & { readonly key: string })[]
  }[]
}

export interface GatewayStatus {
  /** nginx answers. When false everything else is 0 or empty. */
  readonly running: boolean
  /** Version of the table that every worker routes by; 0 before the first. */
  readonly version: number
  readonly pid: number
  readonly workers: number
  /** How often nginx had to read a changed configuration since it started; member changes never do that. */
  readonly reloads: number
  /**
   * Requests being served, by `memberKey` (`10.4.2.7:8080`), of members that serve any, and of removed ones for a minute and until they
   * serve nothing any more.
   */
  readonly inflight: Readonly<Record<string, number>>
  /** Only when asked for with `counters`. */
  readonly requests: readonly RequestCounters[]
  /** Routes that keep their last known members because the table had none for them. */
  readonly keptRoutes: readonly string[]
}

/**
 * The gateway of a node. Closing it (`Symbol.asyncDispose`) leaves nginx running: traffic does not depend on the agent. Only
 * {@link Gateway.stop} stops nginx.
 */
export interface Gateway extends AsyncDisposable {
  /** Adopts our running nginx, else starts it from the last applied table. Throws `gateway.nginx-missing`, `gateway.port-taken`. */
  start(options?: CallOptions): Promise<void>
  /**
   * Resolves when every worker routes by `table`. Calls are carried out in order. Throws `gateway.invalid-table` (nothing is
   * applied), `gateway.stale-table` for a version below the applied one (`force` applies it all the same, after the store was
   * restored to an older state), `gateway.not-running`.
   */
  apply(table: RouteTable, options?: CallOptions & { readonly force?: boolean }): Promise<void>
  /** Never throws because nginx is down: that is `running: false`. `counters` costs more the more routes there are. */
  status(options?: CallOptions & { readonly counters?: boolean }): Promise<GatewayStatus>
  /**
   * Counters worker by worker. `changed: 'since'`: of members whose counters are not as they were when they were told last, 200 at a time of each
   * worker, so that no request waits for it; `'anew'`: as if nothing had been told before. Throws `gateway.not-running`.
   */
  counts(options?: CallOptions & { readonly changed?: 'since' | 'anew' }): Promise<WorkerCounts>
  /**
   * Calls `listener` as soon as a process of nginx that this gateway talked to ends: {@link Gateway.status} tells what is left. Returns how to
   * stop. A master that ends while its workers go on is found by `status` only.
   */
  onEnd(listener: () => void): () => void
  /** Stops nginx after its current requests, at most `graceMs` (default 10 s) later. */
  stop(options?: CallOptions & { readonly graceMs?: number }): Promise<void>
}
