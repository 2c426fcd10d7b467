import type { ConnectionRow } from '@berth/core'
import type { OpenCount, PortCount } from './port-counts.ts'

/** Of what is counted by address and way, what each instance has had by each route: its addresses of both versions together. */
export function connectionRows(counts: readonly PortCount[], open: readonly OpenCount[]): ConnectionRow[] {
  const openBy = new Map(open.map(({ route, instance, connections }) => [`${route}\0${instance}`, connections]))
  const rows = new Map<string, ConnectionRow & { readonly counts: number[] }>()
  for (const { route, pool, instance, counts: what, value, packets } of counts) {
    if (pool === undefined || instance === undefined) continue
    const key = `${route}\0${instance}`
    const row = rows.get(key) ?? { route, pool, instance, counts: [0, 0, 0, 0, 0], open: openBy.get(key) ?? 0 }
    rows.set(key, row)
    const first = places[what]
    row.counts[first]! += packets
    if (what !== 'connections') row.counts[first + 1]! += value
  }
  return [...rows.values()]
}

const places = { connections: 0, in: 1, out: 3 } as const

/** Tells of rows those that have changed since it was asked last. */
export class ChangedRows {
  #told = new Map<string, string>()

  take(rows: readonly ConnectionRow[]): ConnectionRow[] {
    const now = new Map(rows.map((row) => [`${row.route}\0${row.instance}`, JSON.stringify(row)]))
    const changed = rows.filter(({ route, instance }) => {
      const key = `${route}\0${instance}`
      return this.#told.get(key) !== now.get(key)
    })
    this.#told = now
    return changed
  }
}
