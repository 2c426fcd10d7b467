import { memberKey, type PortRoute, type Route, type RouteTable } from '@berth/core'

/** Who takes new requests by a table. Of a new table only the routes are looked at that are other objects than before. */
export class ActiveMembers {
  #table: RouteTable | undefined
  #routes: ReadonlySet<Route | PortRoute> = new Set()
  /** In so many targets. */
  readonly #counts = new Map<string, number>()

  /** `member` as `memberKey` has it. One that is active in one target and drains in another is active. */
  has(member: string): boolean {
    return this.#counts.has(member)
  }

  follow(table: RouteTable | undefined): void {
    if (table === this.#table) return
    const before = this.#routes
    const routes = new Set([...(table?.routes ?? []), ...(table?.ports ?? [])])
    this.#table = table
    this.#routes = routes
    for (const route of routes) if (!before.has(route)) this.#count(route, 1)
    for (const route of before) if (!routes.has(route)) this.#count(route, -1)
  }

  #count({ targets }: Route | PortRoute, by: number): void {
    for (const { members } of targets) {
      for (const member of members) {
        if (member.state !== 'active') continue
        const key = memberKey(member)
        const count = (this.#counts.get(key) ?? 0) + by
        if (count === 0) this.#counts.delete(key)
        else this.#counts.set(key, count)
      }
    }
  }
}
