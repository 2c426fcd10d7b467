import type { BooksNode } from './books-node.ts'

/** What nodes declare beyond CPU, memory and disk: counts, and named ones of which each is given to one instance. */
export class Resources {
  readonly #byName = new Map<string, Resource>()

  layOut(row: number, spec: BooksNode | undefined): void {
    for (const resource of this.#byName.values()) {
      resource.free.delete(row)
      resource.names.delete(row)
    }
    for (const [name, amount] of Object.entries(spec?.resources ?? {})) {
      const resource = this.#resource(name)
      resource.free.set(row, typeof amount === 'number' ? amount : amount.length)
      if (typeof amount !== 'number') resource.names.set(row, [...amount].sort())
    }
  }

  free(row: number, name: string): number {
    return this.#byName.get(name)?.free.get(row) ?? 0
  }

  /** The names that would be given, the first ones in order; undefined: it is only counted here. */
  pick(row: number, name: string, amount: number): readonly string[] | undefined {
    return this.#byName.get(name)?.names.get(row)?.slice(0, amount)
  }

  take(row: number, name: string, amount: number, names: readonly string[] | undefined): void {
    const resource = this.#resource(name)
    resource.free.set(row, (resource.free.get(row) ?? 0) - amount)
    const free = resource.names.get(row)
    if (free === undefined || names === undefined) return
    resource.names.set(
      row,
      free.filter((each) => !names.includes(each)),
    )
  }

  giveBack(row: number, name: string, amount: number, names: readonly string[] | undefined, declared: unknown): void {
    const resource = this.#resource(name)
    resource.free.set(row, (resource.free.get(row) ?? 0) + amount)
    const free = resource.names.get(row)
    if (free === undefined || names === undefined || !Array.isArray(declared)) return
    const back = names.filter((each) => declared.includes(each) && !free.includes(each))
    resource.names.set(row, [...free, ...back].sort())
  }

  clone(): Resources {
    const copy = new Resources()
    for (const [name, { free, names }] of this.#byName)
      copy.#byName.set(name, { free: new Map(free), names: new Map(names) })
    return copy
  }

  #resource(name: string): Resource {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const resource = { free: new Map<number, number>(), names: new Map<number, readonly string[]>() }
    this.#byName.set(name, resource)
    return resource
  }
}

interface Resource {
  /** By row. */
  readonly free: Map<number, number>
  /** Of named ones: those that nobody has, sorted. */
  readonly names: Map<number, readonly string[]>
}
