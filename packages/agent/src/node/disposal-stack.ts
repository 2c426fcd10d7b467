/** Closes what it was given in the reverse order, all of it, even when one of them fails. */
export class DisposalStack implements AsyncDisposable {
  readonly #owned: AsyncDisposable[] = []

  use<T extends AsyncDisposable | undefined>(owned: T): T {
    if (owned !== undefined) this.#owned.push(owned)
    return owned
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = []
    for (let owned = this.#owned.pop(); owned !== undefined; owned = this.#owned.pop()) {
      try {
        await owned[Symbol.asyncDispose]()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, 'closing failed')
  }
}
