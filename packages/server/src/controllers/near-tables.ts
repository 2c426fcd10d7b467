import { nearTable, type RouteTable } from '@berth/core'

/** The gateways' table as each site has it, made once for all gateways there. */
export class NearTables {
  readonly #made = new Map<string | undefined, RouteTable>()
  #of: RouteTable | undefined

  of(table: RouteTable, site: string | undefined): RouteTable {
    if (this.#of !== table) this.#made.clear()
    this.#of = table
    let made = this.#made.get(site)
    if (made === undefined) {
      made = nearTable(table, site)
      this.#made.set(site, made)
    }
    return made
  }
}
