/**
 * When nodes were last heard of. The time that this process comes late to its looks is not theirs: what they sent meanwhile is still to be read. So on a
 * server that is busy, or was stopped, nobody seems silent who was only not listened to.
 */
export class LastHeard {
  readonly #silenceMs: number
  readonly #tickMs: number
  readonly #now: () => number
  readonly #times = new Map<string, number>()
  #lookedAt: number

  /** {@link silent} is called every `tickMs`. */
  constructor(silenceMs: number, tickMs: number, now: () => number) {
    this.#silenceMs = silenceMs
    this.#tickMs = tickMs
    this.#now = now
    this.#lookedAt = now()
  }

  has(node: string): boolean {
    return this.#times.has(node)
  }

  heard(node: string): void {
    this.#times.set(node, this.#now())
  }

  /** False: it was not known. */
  forget(node: string): boolean {
    return this.#times.delete(node)
  }

  /** Those not heard of for too long, and when they last were. */
  silent(): (readonly [node: string, at: number])[] {
    const now = this.#now()
    this.#forgive(now - this.#lookedAt - this.#tickMs, now)
    this.#lookedAt = now
    const before = now - this.#silenceMs
    const silent: (readonly [node: string, at: number])[] = []
    // Thousands several times a second, of which hardly ever one.
    for (const [node, at] of this.#times) if (at <= before) silent.push([node, at])
    return silent
  }

  #forgive(lateMs: number, now: number): void {
    if (lateMs <= this.#tickMs) return
    for (const [node, at] of this.#times) this.#times.set(node, Math.min(now, at + lateMs))
  }
}
