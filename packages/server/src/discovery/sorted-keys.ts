/** Texts in their order, each once. */
export class SortedKeys {
  #keys: string[] = []
  #isSorted = true

  constructor(keys: Iterable<string> = []) {
    this.#keys = [...keys].sort()
  }

  get size(): number {
    return this.#keys.length
  }

  /** It must not be there yet. */
  add(key: string): void {
    const last = this.#keys.at(-1)
    if (last !== undefined && last > key) this.#isSorted = false
    this.#keys.push(key)
  }

  delete(key: string): void {
    const place = this.#placeOf(key)
    if (this.#keys[place] === key) this.#keys.splice(place, 1)
  }

  /** Those that begin so, in order. */
  below(prefix: string): string[] {
    const found: string[] = []
    for (let place = this.#placeOf(prefix); place < this.#keys.length; place += 1) {
      const key = this.#keys[place] as string
      if (!key.startsWith(prefix)) break
      found.push(key)
    }
    return found
  }

  /** Of the first that is not less. */
  #placeOf(key: string): number {
    if (!this.#isSorted) {
      this.#keys.sort()
      this.#isSorted = true
    }
    let [from, to] = [0, this.#keys.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#keys[middle] as string) < key) from = middle + 1
      else to = middle
    }
    return from
  }
}
