import type { Lease } from '../store.ts'

/** Longest wait of a timer. */
const maxTimerMs = 2 ** 31 - 1
/** An end that could not be written (a full disk) is tried again after this long. */
const retryMs = 1_000

export interface LeaseClockOptions {
  /** Deletes the lease and its keys. */
  readonly end: (leaseId: string) => Promise<void>
  /** Milliseconds of a clock that never jumps. */
  readonly now?: () => number
}

interface Running {
  readonly lease: Lease
  deadlineMs: number
}

/**
 * When leases end. Deadlines live in memory, on the monotonic clock: a keep-alive costs no write, a set wall clock ends
 * nothing, and after a start every lease has its full time again. A lease that is over is ended even if that takes several
 * tries, and cannot be kept alive meanwhile.
 */
export class LeaseClock implements Disposable {
  readonly #end: (leaseId: string) => Promise<void>
  readonly #now: () => number
  readonly #leases = new Map<string, Running>()
  #timer: NodeJS.Timeout | undefined
  #timerDeadlineMs = Number.POSITIVE_INFINITY
  #closed = false

  constructor({ end, now = () => performance.now() }: LeaseClockOptions) {
    this.#end = end
    this.#now = now
  }

  start(lease: Lease): void {
    const deadlineMs = this.#now() + lease.ttlMs
    this.#leases.set(lease.id, { lease, deadlineMs })
    this.#arm(deadlineMs)
  }

  /** Undefined when the lease is unknown or over. */
  keepAlive(id: string): Lease | undefined {
    const running = this.#leases.get(id)
    if (!running) return undefined
    running.deadlineMs = this.#now() + running.lease.ttlMs
    return running.lease
  }

  /** Stops the clock of a lease that is being revoked. */
  forget(id: string): void {
    this.#leases.delete(id)
  }

  [Symbol.dispose](): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #arm(deadlineMs: number): void {
    if (this.#closed || deadlineMs >= this.#timerDeadlineMs) return
    clearTimeout(this.#timer)
    this.#timerDeadlineMs = deadlineMs
    // After a stall of this process, overdue timers run before the keep-alives that wait in its sockets: let those in first.
    this.#timer = setTimeout(
      () => setImmediate(() => this.#endOverdue()),
      Math.min(Math.max(0, Math.ceil(deadlineMs - this.#now())), maxTimerMs),
    )
  }

  #endOverdue(): void {
    this.#timerDeadlineMs = Number.POSITIVE_INFINITY
    let nextMs = Number.POSITIVE_INFINITY
    for (const [id, { deadlineMs }] of this.#leases) {
      if (deadlineMs > this.#now()) nextMs = Math.min(nextMs, deadlineMs)
      else this.#endOne(id)
    }
    this.#arm(nextMs)
  }

  #endOne(id: string): void {
    if (this.#closed) return
    this.#leases.delete(id)
    this.#end(id).catch(() => {
      if (!this.#closed) setTimeout(() => this.#endOne(id), retryMs).unref()
    })
  }
}
