/** Under which terms a value is found: one, several, or none. */
export type TermsOf<T> = (value: T) => string | readonly string[] | undefined

/** Entries by term, in no particular order. A term without entries takes no memory. */
export class KeyIndex<T, E extends { readonly key: string; readonly value: T }> {
  readonly #termsOf: TermsOf<T>
  readonly #entries = new Map<string, Map<string, E>>()

  constructor(termsOf: TermsOf<T>) {
    this.#termsOf = termsOf
  }

  get(term: string): readonly E[] {
    const entries = this.#entries.get(term)
    return entries === undefined ? [] : [...entries.values()]
  }

  add(entry: E): void {
    for (const term of this.#terms(entry)) {
      const entries = this.#entries.get(term)
      if (entries) entries.set(entry.key, entry)
      else this.#entries.set(term, new Map([[entry.key, entry]]))
    }
  }

  remove(entry: E): void {
    for (const term of this.#terms(entry)) {
      const entries = this.#entries.get(term)
      entries?.delete(entry.key)
      if (entries?.size === 0) this.#entries.delete(term)
    }
  }

  #terms({ value }: E): readonly string[] {
    const terms = this.#termsOf(value)
    if (terms === undefined) return []
    return typeof terms === 'string' ? [terms] : terms
  }
}
