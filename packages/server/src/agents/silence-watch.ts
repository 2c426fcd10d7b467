/** Tells links that are open but silent. */
export class SilenceWatch {
  readonly #silenceMs: number
  readonly #now: () => number
  readonly #lastHeard = new Map<string, number>()
  #lastLook: number

  constructor(silenceMs: number, now: () => number = () => performance.now()) {
    this.#silenceMs = silenceMs
    this.#now = now
    this.#lastLook = now()
  }

  heard(node: string): void {
    this.#lastHeard.set(node, this.#now())
  }

  /** Those of the nodes that were not heard of for too long. After a standstill of this process: none, what they sent is still to be read. */
  look(nodes: Iterable<string>): string[] {
    const now = this.#now()
    const late = now - this.#lastLook > this.#silenceMs / 2
    this.#lastLook = now
    const there = new Set(nodes)
    for (const node of this.#lastHeard.keys()) if (!there.has(node)) this.#lastHeard.delete(node)
    return late ? [] : [...there].filter((node) => now - (this.#lastHeard.get(node) ?? now) > this.#silenceMs)
  }
}
