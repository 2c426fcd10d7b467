import type { CloudRoute } from '@berth/core'

export interface CallOptions {
  readonly signal: AbortSignal
}

/**
 * A provider's route table, behind whatever serves it. Every method may be repeated: an answer may be lost. What was put may be listed
 * only later. All throw `cloud-routes.unreachable`, `cloud-routes.rate-limited` (both retryable; `details.retryAfterMs`),
 * `cloud-routes.forbidden` and `cloud-routes.refused`.
 */
export interface CloudRouteTable {
  /** Every entry, others' too. */
  list(options: CallOptions): Promise<readonly CloudRoute[]>
  /** Makes the entry or replaces the owner's one of this destination. Throws `cloud-routes.foreign`, `cloud-routes.quota`. */
  put(route: Required<CloudRoute>, options: CallOptions): Promise<void>
  /** One that is not there is no error. Throws `cloud-routes.foreign`. */
  remove(route: Pick<Required<CloudRoute>, 'destination' | 'owner'>, options: CallOptions): Promise<void>
}
