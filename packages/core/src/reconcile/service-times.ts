/** An instance that has served for this long has shown that it can: whatever it missed before is forgiven. */
export const steadyMs = 60_000

interface Entry {
  readonly serving: boolean
  readonly since: number
  /** How long it had not served, all in all, when it began to serve. */
  readonly missedMs: number
}

/**
 * Since when instances serve, or do not, by the clock of whoever decides: clocks of nodes differ, and what nobody could report while
 * the decider was away is held against no instance. Kept in memory only. Times are arguments.
 */
export class ServiceTimes {
  readonly #entries = new Map<string, Entry>()
  readonly #startedAt: number

  /** `startedAt`: when the decider began to listen. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  get startedAt(): number {
    return this.#startedAt
  }

  /**
   * Takes in what an instance does at `now`. Returns since when; an instance that comes and goes gets the time of its earlier absences
   * counted in, so that it cannot begin afresh for ever.
   */
  note(id: string, serving: boolean, now: number, first: number): number {
    const before = this.#entries.get(id)
    if (before?.serving === serving) return before.since
    const entry =
      before === undefined
        ? { serving, since: serving ? Math.min(first, now) : Math.max(first, this.#startedAt), missedMs: 0 }
        : turned(before, serving, now)
    this.#entries.set(id, entry)
    return entry.since
  }

  forget(id: string): void {
    this.#entries.delete(id)
  }
}

function turned(before: Entry, serving: boolean, now: number): Entry {
  if (serving) return { serving, since: now, missedMs: now - before.since }
  const missedMs = now - before.since >= steadyMs ? 0 : before.missedMs
  return { serving, since: now - missedMs, missedMs }
}
