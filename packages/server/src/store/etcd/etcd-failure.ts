import { status as grpc } from '@grpc/grpc-js'
import { type StoreError, storeError } from '../store-error.ts'

/** One attempt on one member failed. */
export class EtcdFailure extends Error {
  readonly status: number
  /** What the member said, or the client about the connection. */
  readonly reason: string
  readonly address: string

  constructor(status: number, reason: string, address: string) {
    // The client's library appends this also where it has nothing to note.
    const said = reason.replace(/\s*Resolution note:\s*$/, '')
    super(`etcd ${address}: ${said}`)
    this.name = 'EtcdFailure'
    this.status = status
    this.reason = said
    this.address = address
  }

  /** Another member, or the same one later, may do it. What the question caused is unknown unless it never left. */
  get isTransient(): boolean {
    return transient.has(this.status)
  }

  /** There was no connection to send it by. */
  get neverLeft(): boolean {
    return (
      this.status === grpc.UNAVAILABLE &&
      /^(No connection established|Channel closed before|Name resolution failed)/.test(this.reason)
    )
  }

  /** The token is over or unknown (etcd forgets simple tokens when it starts), or users were changed: a new one helps. Nothing was done. */
  get needsNewToken(): boolean {
    return this.status === grpc.UNAUTHENTICATED || /revision of auth store is old/.test(this.reason)
  }

  get isCompacted(): boolean {
    return /required revision has been compacted/.test(this.reason)
  }

  get isFuture(): boolean {
    return /required revision is a future revision/.test(this.reason)
  }

  get isLeaseNotFound(): boolean {
    return /requested lease not found/.test(this.reason)
  }

  get isLeaseExisting(): boolean {
    return /lease already exists/.test(this.reason)
  }

  get isFull(): boolean {
    return /database space exceeded/.test(this.reason)
  }
}

const transient: ReadonlySet<number> = new Set([
  grpc.UNAVAILABLE,
  grpc.DEADLINE_EXCEEDED,
  grpc.CANCELLED,
  grpc.UNKNOWN,
  grpc.INTERNAL,
  grpc.ABORTED,
])

/** etcd takes no more at this moment: nothing was done. */
export const isBusy = ({ reason }: EtcdFailure): boolean => /too many requests/.test(reason)

/** What a failure that no other attempt can mend means. `what`: `get /apps/shop`. */
export function refusedError(failure: EtcdFailure, what: string): StoreError {
  const { reason, address, status } = failure
  if (failure.isFull)
    return storeError(
      'store.full',
      `${what}: etcd ${address} has reached its quota (${reason}); nothing was written. Compact and defragment etcd or raise --quota-backend-bytes, then clear the alarm: etcdctl alarm disarm`,
      { retryable: true, cause: failure },
    )
  if (/too large|larger than max/i.test(reason))
    return storeError(
      'store.too-large',
      `${what}: etcd ${address} says ${reason}; it has to take 1.5 MiB: see its --max-request-bytes`,
      { cause: failure },
    )
  if (/invalid user ID or password|user name is empty|user name not found/.test(reason))
    return deniedError(what, address, `${reason}; check the user and the file with the password`, failure)
  if (/permission denied/.test(reason))
    return deniedError(what, address, `${reason}; give the user's role readwrite on the store's prefix`, failure)
  if (failure.needsNewToken || status === grpc.PERMISSION_DENIED || /authentication is not enabled/.test(reason))
    return deniedError(what, address, reason, failure)
  if (status === grpc.DATA_LOSS || /corrupt/.test(reason))
    return storeError(
      'store.corrupt',
      `${what}: etcd ${address} says ${reason}; look at its log, replace the damaged member`,
      { cause: failure },
    )
  return storeError('store.failed', `${what}: etcd ${address} says ${reason}`, { cause: failure })
}

export const deniedError = (what: string, address: string, why: string, cause?: unknown): StoreError =>
  storeError('store.denied', `${what}: etcd ${address} does not let this server in: ${why}`, { cause })

export const unavailableError = (what: string, addresses: readonly string[], last: unknown): StoreError =>
  storeError(
    'store.unavailable',
    `${what}: no majority of etcd answers at ${addresses.join(', ')} (${last instanceof EtcdFailure ? last.message : String(last)}); nothing was changed. Check the members: etcdctl endpoint health`,
    { retryable: true, details: { members: addresses }, cause: last },
  )

export const outcomeUnknownError = (what: string, last: unknown): StoreError =>
  storeError(
    'store.outcome-unknown',
    `${what}: etcd was lost while it was under way, so whether it took effect is not known; read before it is tried again`,
    { cause: last },
  )
