import type { MemberChanges } from '@berth/core'

/** Which addresses bear which tag, and what has changed of that since it was asked last. */
export class TagMembers {
  /** Counted: one may get the address of another before the news of that one's end. */
  readonly #counts = new Map<string, Map<string, number>>()
  /** Addresses whose count has changed, with what it was. */
  readonly #touched = new Map<string, Map<string, number>>()

  count(address: string, tags: Iterable<string>, by: 1 | -1): void {
    for (const tag of tags) this.#countOne(tag, address, by)
  }

  of(tag: string): string[] {
    return [...(this.#counts.get(tag)?.keys() ?? [])]
  }

  /** Since the call before. */
  takeChanges(): MemberChanges {
    const changes = [...this.#touched].flatMap(([tag, addresses]) => {
      const now = this.#counts.get(tag)
      const put = [...addresses].flatMap(([address, before]) =>
        before === 0 && now?.has(address) === true ? [address] : [],
      )
      const gone = [...addresses].flatMap(([address, before]) =>
        before > 0 && now?.has(address) !== true ? [address] : [],
      )
      return put.length + gone.length === 0 ? [] : [[tag, { put, gone }] as const]
    })
    this.#touched.clear()
    return Object.fromEntries(changes)
  }

  #countOne(tag: string, address: string, by: 1 | -1): void {
    const counts = this.#counts.get(tag) ?? new Map<string, number>()
    const before = counts.get(address) ?? 0
    const touched = this.#touched.get(tag) ?? new Map<string, number>()
    if (!touched.has(address)) this.#touched.set(tag, touched.set(address, before))
    if (before + by > 0) this.#counts.set(tag, counts.set(address, before + by))
    else {
      counts.delete(address)
      if (counts.size === 0) this.#counts.delete(tag)
    }
  }
}
