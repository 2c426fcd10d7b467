import { BerthError } from '@berth/core'
import type { CommitGuard } from '../records/index.ts'
import { keyOf } from '../records/index.ts'
import type { Role } from './role.ts'

/**
 * The time in which this server holds a role. It ends at its deadline whatever timers still wait: whoever acts in it asks before every
 * act, and its commits compare the role's key.
 */
export class Term implements CommitGuard {
  readonly role: Role
  /** Mod revision of the role's key, which is put once a term: it only grows. */
  readonly number: number
  readonly #isPast: () => boolean
  readonly #ended = new AbortController()

  constructor(role: Role, number: number, isPast: () => boolean) {
    this.role = role
    this.number = number
    this.#isPast = isPast
  }

  /** Aborts with the term. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  get compare() {
    return { key: keyOf('leaders', this.role), modRevision: this.number }
  }

  get isOver(): boolean {
    if (!this.#ended.signal.aborted && this.#isPast()) this.end('its lease was not kept alive in time')
    return this.#ended.signal.aborted
  }

  /** Throws `leadership.over`. */
  check(): void {
    if (this.isOver) throw this.#ended.signal.reason
  }

  end(why: string): void {
    if (this.#ended.signal.aborted) return
    const message = `term ${this.number} of ${this.role} is over on this server: ${why}; whoever leads now goes on`
    this.#ended.abort(new BerthError('leadership.over', message, { retryable: true }))
  }
}
