import { BerthError } from '@berth/core'

interface Window {
  readonly until: number
  failures: number
}

export interface FailureLimitOptions {
  readonly windowMs?: number
  /** Failures of one claimed token name from one address. */
  readonly perName?: number
  /** Failures of one address, whatever it claims. */
  readonly perAddress?: number
  readonly now?: () => number
}

const maxWindows = 10_000

/**
 * Slows down guessing. An address that failed too often is refused for the rest of the window, also with a good token; the limit of a
 * single name is lower, so that a colleague's broken script behind the same address locks out its own token only.
 */
export class FailureLimit {
  readonly #windows = new Map<string, Window>()
  readonly #windowMs: number
  readonly #perName: number
  readonly #perAddress: number
  readonly #now: () => number

  constructor(options: FailureLimitOptions = {}) {
    this.#windowMs = options.windowMs ?? 60_000
    this.#perName = options.perName ?? 10
    this.#perAddress = options.perAddress ?? 60
    this.#now = options.now ?? Date.now
  }

  /** Throws `auth.too-many-failures` with `details.retryAfterMs`. */
  check(address: string, name: string): void {
    this.#refuseAbove(address, this.#perAddress)
    this.#refuseAbove(keyOf(address, name), this.#perName)
  }

  failed(address: string, name: string): void {
    this.#count(address)
    this.#count(keyOf(address, name))
  }

  #refuseAbove(key: string, limit: number): void {
    const window = this.#windows.get(key)
    if (window === undefined || window.failures < limit) return
    const retryAfterMs = window.until - this.#now()
    if (retryAfterMs <= 0) return
    throw new BerthError(
      'auth.too-many-failures',
      `too many calls with a wrong token; try again in ${Math.ceil(retryAfterMs / 1000)} s`,
      { retryable: true, details: { retryAfterMs } },
    )
  }

  #count(key: string): void {
    const now = this.#now()
    const window = this.#windows.get(key)
    if (window !== undefined && window.until > now) {
      window.failures += 1
      return
    }
    this.#windows.delete(key)
    // The oldest window goes first: memory stays bounded whatever is thrown at it.
    if (this.#windows.size >= maxWindows) this.#windows.delete(this.#windows.keys().next().value ?? key)
    this.#windows.set(key, { until: now + this.#windowMs, failures: 1 })
  }
}

const keyOf = (address: string, name: string): string => `${address} ${name}`
