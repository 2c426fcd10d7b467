/** Calls that wait until the agent of a node has linked, or surely will not. */
export class LinkWaits {
  readonly #waiting = new Map<string, Set<() => void>>()

  /** Resolves when the node is woken, or after so long. Rejects with the signal's reason. */
  async wait(node: string, forMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = (): void => resolve()
    const waiting = this.#waiting.get(node) ?? new Set()
    this.#waiting.set(node, waiting.add(done))
    const timer = setTimeout(done, forMs)
    signal?.addEventListener('abort', done, { once: true })
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      waiting.delete(done)
      if (waiting.size === 0 && this.#waiting.get(node) === waiting) this.#waiting.delete(node)
    }
    signal?.throwIfAborted()
  }

  /** Its link has come, or is not to be waited for any more. */
  wake(node: string): void {
    for (const resolve of this.#waiting.get(node) ?? []) resolve()
  }

  wakeAll(): void {
    for (const node of this.#waiting.keys()) this.wake(node)
  }
}
