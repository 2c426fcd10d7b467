import type { PortRoute, Route, RouteTable } from '@berth/core'

/**
 * Of each instance: the version of the table since which it is active in the routes, or is not any more. Decisions go by it. What is told
 * goes by the revision of the records that made it active: every server says the same then, whenever it made its own table.
 */
export class MemberVersions {
  /** Of those that are active. */
  readonly #madeAt = new Map<string, number>()
  readonly #activeSince = new Map<string, number>()
  readonly #inactiveSince = new Map<string, number>()
  #firstVersion: number | undefined
  /** Of the last table. */
  #routes: ReadonlySet<Route | PortRoute> = new Set()
  /** In how many places of its routes an instance is active: it may have several routes. */
  readonly #places = new Map<string, number>()

  /** undefined for one that is not active. */
  activeSince(instance: string): number | undefined {
    return this.#activeSince.get(instance)
  }

  /** undefined for one that is not active. */
  madeAt(instance: string): number | undefined {
    return this.#madeAt.get(instance)
  }

  /** Of one that was never active here a table of before the first one may know more. */
  inactiveSince(instance: string): number {
    return this.#inactiveSince.get(instance) ?? this.#firstVersion ?? 0
  }

  /** Instances that are active only in tables after this version, or have been made so by records after it. */
  activeAfter(version: number): string[] {
    const isMadeAfter = (instance: string): boolean => (this.#madeAt.get(instance) ?? 0) > version
    return [...this.#activeSince]
      .filter(([instance, since]) => since > version || isMadeAfter(instance))
      .map(([instance]) => instance)
  }

  /**
   * Takes in the next table, whose routes are the very objects of the one before where they have not changed. Returns who became active and who
   * is not any more. `madeAt`: the revision that made one active.
   */
  enter(
    table: RouteTable,
    madeAt: (instance: string) => number | undefined,
  ): { readonly entered: readonly string[]; readonly left: readonly string[] } {
    this.#firstVersion ??= table.version
    const touched = this.#count(table)
    const entered = touched.filter((instance) => this.#isActive(instance) && !this.#activeSince.has(instance))
    const left = touched.filter((instance) => !this.#isActive(instance) && this.#activeSince.has(instance))
    for (const instance of entered) {
      this.#activeSince.set(instance, table.version)
      this.#madeAt.set(instance, Math.min(table.version, madeAt(instance) ?? table.version))
      this.#inactiveSince.delete(instance)
    }
    for (const instance of left) {
      this.#activeSince.delete(instance)
      this.#madeAt.delete(instance)
      this.#inactiveSince.set(instance, table.version)
    }
    return { entered, left }
  }

  #isActive(instance: string): boolean {
    return this.#places.has(instance)
  }

  /** Brings the counts of places up to date. Returns whose may have changed, each once. */
  #count(table: RouteTable): readonly string[] {
    const before = this.#routes
    this.#routes = new Set<Route | PortRoute>([...table.routes, ...(table.ports ?? [])])
    const touched = new Set<string>()
    const add = (route: Route | PortRoute, step: 1 | -1): void => {
      for (const instance of activeMembers(route)) {
        touched.add(instance)
        const places = (this.#places.get(instance) ?? 0) + step
        if (places === 0) this.#places.delete(instance)
        else this.#places.set(instance, places)
      }
    }
    for (const route of this.#routes) if (!before.has(route)) add(route, 1)
    for (const route of before) if (!this.#routes.has(route)) add(route, -1)
    return [...touched]
  }

  /** Drops what is known of instances that are gone. */
  keepOnly(exists: (instance: string) => boolean): void {
    for (const instance of this.#inactiveSince.keys()) if (!exists(instance)) this.#inactiveSince.delete(instance)
  }
}

function* activeMembers(route: Route | PortRoute): Generator<string> {
  for (const target of route.targets)
    for (const member of target.members) if (member.state === 'active') yield member.instance
}
