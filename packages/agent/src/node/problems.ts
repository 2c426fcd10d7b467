/** What is wrong with the node now, one sentence a cause, for its status. */
export class Problems {
  readonly #sentences = new Map<string, string>()
  readonly #onChange: () => void

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** `undefined`: it is well again. */
  set(cause: string, sentence: string | undefined): void {
    if (this.#sentences.get(cause) === sentence) return
    if (sentence === undefined) this.#sentences.delete(cause)
    else this.#sentences.set(cause, sentence)
    this.#onChange()
  }

  list(): readonly string[] {
    return [...this.#sentences.values()]
  }
}
