/** A refused agent dials every other second; one that has not for so long has gone. */
const freshMs = 60_000
/** Whoever can open a connection can name a node. */
const maxKnown = 10_000

/** Whose agents (by the node's name, or where they come from) were refused of late, and why: what a list of nodes says of those that are offline for that reason. */
export class RefusedAgents {
  readonly #last = new Map<string, { readonly why: string; readonly at: number; readonly toldAt: number }>()

  /** False: the same was said of it within the last minute. */
  note(who: string, why: string, now: number): boolean {
    const before = this.#last.get(who)
    const isNews = before === undefined || before.why !== why || now - before.toldAt >= freshMs
    this.#last.delete(who)
    this.#last.set(who, { why, at: now, toldAt: isNews ? now : before.toldAt })
    for (const [oldest] of this.#last) {
      if (this.#last.size <= maxKnown) break
      this.#last.delete(oldest)
    }
    return isNews
  }

  whyOf(who: string, now: number): string | undefined {
    const last = this.#last.get(who)
    return last === undefined || now - last.at > freshMs ? undefined : last.why
  }
}
