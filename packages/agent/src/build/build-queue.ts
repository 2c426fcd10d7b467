/** One build at a time on a node; the others wait in the order of their arrival. */
export class BuildQueue {
  readonly #waiting: (() => void)[] = []
  #busy = false

  /** Builds before a new one. */
  get ahead(): number {
    return this.#busy ? this.#waiting.length + 1 : 0
  }

  /** Resolves to the turn, which must be disposed of; rejects with the signal's reason when that comes first. */
  async enter(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    if (this.#busy) await this.#wait(signal)
    this.#busy = true
    return { [Symbol.dispose]: () => this.#leave() }
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(enter)
    })
  }

  /** The turn is handed on rather than given back, so that nobody overtakes. */
  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#busy = false
    else next()
  }
}
