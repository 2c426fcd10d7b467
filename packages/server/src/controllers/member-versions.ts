import type { RouteTable } from '@berth/core'

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

  /** Takes in the next table. Returns who became active and who is not any more. `madeAt`: the revision that made one active. */
  enter(
    table: RouteTable,
    madeAt: (instance: string) => number | undefined,
  ): { readonly entered: readonly string[]; readonly left: readonly string[] } {
    this.#firstVersion ??= table.version
    const active = new Set(activeMembers(table))
    const entered = [...active].filter((instance) => !this.#activeSince.has(instance))
    const left = [...this.#activeSince.keys()].filter((instance) => !active.has(instance))
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

  /** Drops what is known of instances that are gone. */
  keepOnly(exists: (instance: string) => boolean): void {
    for (const instance of this.#inactiveSince.keys()) if (!exists(instance)) this.#inactiveSince.delete(instance)
  }
}

function* activeMembers(table: RouteTable): Generator<string> {
  for (const route of table.routes)
    for (const target of route.targets)
      for (const member of target.members) if (member.state === 'active') yield member.instance
}
