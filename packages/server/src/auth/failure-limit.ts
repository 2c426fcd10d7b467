import { isIPv6 } from 'node:net'
import { BerthError } from '@berth/core'

interface Window {
  readonly until: number
  failures: number
}

export interface FailureLimitOptions {
  /** What is said when it refuses: `too many calls with a wrong token`. */
  readonly refusal?: { readonly code: string; readonly what: string }
  readonly windowMs?: number
  /** Failures of one claimed name from one address. */
  readonly perName?: number
  /** Failures of one address, whatever it claims. */
  readonly perAddress?: number
  /** Failures of all addresses together. */
  readonly overall?: number
  readonly now?: () => number
}

const maxWindows = 10_000
const everybody = '*'

/**
 * Slows down guessing. An address that failed too often is refused for the rest of the window, also with what is right; the limit of a
 * single name is lower, so that a colleague's broken script behind the same address locks out its own token only.
 */
export class FailureLimit {
  readonly #windows = new Map<string, Window>()
  readonly #refusal: { readonly code: string; readonly what: string }
  readonly #windowMs: number
  readonly #perName: number
  readonly #perAddress: number
  readonly #overall: number
  readonly #now: () => number

  constructor(options: FailureLimitOptions = {}) {
    this.#refusal = options.refusal ?? { code: 'auth.too-many-failures', what: 'too many calls with a wrong token' }
    this.#windowMs = options.windowMs ?? 60_000
    this.#perName = options.perName ?? 10
    this.#perAddress = options.perAddress ?? 60
    this.#overall = options.overall ?? Number.POSITIVE_INFINITY
    this.#now = options.now ?? Date.now
  }

  /** Throws the refusal, with `details.retryAfterMs`. */
  check(address: string, name: string): void {
    const source = sourceOf(address)
    this.#refuseAbove(everybody, this.#overall)
    this.#refuseAbove(source, this.#perAddress)
    this.#refuseAbove(keyOf(source, name), this.#perName)
  }

  failed(address: string, name: string): void {
    const source = sourceOf(address)
    if (this.#overall !== Number.POSITIVE_INFINITY) this.#count(everybody)
    this.#count(source)
    this.#count(keyOf(source, name))
  }

  #refuseAbove(key: string, limit: number): void {
    const window = this.#windows.get(key)
    if (window === undefined || window.failures < limit) return
    const retryAfterMs = window.until - this.#now()
    if (retryAfterMs <= 0) return
    const { code, what } = this.#refusal
    throw new BerthError(code, `${what}; try again in ${Math.ceil(retryAfterMs / 1000)} s`, {
      retryable: true,
      details: { retryAfterMs },
    })
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
    if (this.#windows.size >= maxWindows) this.#windows.delete(this.#oldest() ?? key)
    this.#windows.set(key, { until: now + this.#windowMs, failures: 1 })
  }

  /** What counts for everybody is never forgotten for others. */
  #oldest(): string | undefined {
    for (const key of this.#windows.keys()) if (key !== everybody) return key
    return undefined
  }
}

const keyOf = (source: string, name: string): string => `${source} ${name}`

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** Who has one address of IPv6 has the other 2^64 of its network as well. */
export function sourceOf(address: string): string {
  const ipv4 = mapped.exec(address)?.[1]
  if (ipv4 !== undefined) return ipv4
  const [plain = ''] = address.split('%')
  if (!isIPv6(plain)) return address
  const [head = '', tail] = plain.toLowerCase().split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
