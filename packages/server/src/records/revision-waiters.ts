interface Waiter {
  readonly revision: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** Those who wait until the state has seen a revision, in the order of their revisions: thousands may, and each revision looks at those that it concerns only. */
export class RevisionWaiters {
  #waiters: Waiter[] = []
  #first = 0

  /** Resolves when {@link reached} is called with this revision or a later one; rejects when the caller's signal aborts. */
  wait(revision: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal === undefined) return new Promise((resolve, reject) => this.#add({ revision, resolve, reject }))
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      const done = (): void => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      this.#add({ revision, resolve: done, reject })
    })
  }

  reached(revision: number): void {
    for (; this.#first < this.#waiters.length; this.#first += 1) {
      const waiter = this.#waiters[this.#first] as Waiter
      if (waiter.revision > revision) break
      waiter.resolve()
    }
    if (this.#first === this.#waiters.length || this.#first > 1_000) {
      this.#waiters = this.#waiters.slice(this.#first)
      this.#first = 0
    }
  }

  /** Nothing more will be reached. */
  end(reason: unknown): void {
    for (const waiter of this.#waiters.slice(this.#first)) waiter.reject(reason)
    this.#waiters = []
    this.#first = 0
  }

  /** Commits come back in the order of their revisions, nearly always: its place is near the end. */
  #add(waiter: Waiter): void {
    let at = this.#waiters.length
    while (at > this.#first && (this.#waiters[at - 1]?.revision ?? 0) > waiter.revision) at -= 1
    this.#waiters.splice(at, 0, waiter)
  }
}
