import { type ConnectionCounts, type ConnectionRow, RequestMeter } from '@berth/core'

/** Of one gateway. A node is known, but not trusted blindly. */
const maxRows = 20_000

interface Row {
  counts: ConnectionCounts
  open: number
}

/** Of a route, or of what an instance has by one. */
export interface ConnectionsNow {
  readonly counts: ConnectionCounts
  readonly overMs: number
  readonly open: number
}

/**
 * Connections by ports of the gateways, just now and over all of them. Kept in memory by every server; what a gateway had counted before this server
 * first heard it is not counted.
 */
export class ConnectionStats {
  readonly #gateways = new Map<string, Map<string, Row>>()
  readonly #meters = new Map<string, RequestMeter>()

  /** `isNew`: of a gateway that was not heard before, what it has counted so far. */
  take(node: string, rows: readonly ConnectionRow[], now: number, isNew: boolean): void {
    const known = this.#gateways.get(node) ?? new Map<string, Row>()
    this.#gateways.set(node, known)
    for (const { route, instance, counts, open } of rows) {
      const key = keyOf(route, instance)
      const before = known.get(key)
      if (before === undefined && known.size >= maxRows) continue
      known.set(key, { counts, open })
      if (before === undefined && isNew) continue
      // Less than before: the gateway has begun anew, and what it counted in between is not known.
      const more = counts.map((count, place) => count - (before?.counts[place] ?? 0))
      if (more.some((each) => each < 0) || more.every((each) => each === 0)) continue
      for (const each of [route, key]) this.#meterOf(each, now).add(now, more)
    }
  }

  /** Of the route, or of one instance's part of it. */
  now(route: string, instance: string | undefined, now: number): ConnectionsNow {
    const key = instance === undefined ? route : keyOf(route, instance)
    const read = this.#meters.get(key)?.read(now) ?? { counts: [], overMs: 1_000 }
    let open = 0
    for (const rows of this.#gateways.values())
      for (const [each, row] of rows)
        if (each === key || (instance === undefined && routeOf(each) === route)) open += row.open
    return { ...read, open }
  }

  /** `isServing`: the node is a gateway, and is heard of. */
  sweep(now: number, isServing: (node: string) => boolean, isKnown: (instance: string) => boolean): void {
    for (const [node, rows] of this.#gateways) {
      if (!isServing(node)) this.#gateways.delete(node)
      for (const key of rows.keys()) if (!isKnown(key.slice(key.indexOf('\0') + 1))) rows.delete(key)
    }
    for (const [key, meter] of this.#meters) if (meter.isQuiet(now)) this.#meters.delete(key)
  }

  #meterOf(key: string, now: number): RequestMeter {
    const meter = this.#meters.get(key) ?? new RequestMeter(now)
    this.#meters.set(key, meter)
    return meter
  }
}

const keyOf = (route: string, instance: string): string => `${route}\0${instance}`
const routeOf = (key: string): string => key.slice(0, key.indexOf('\0'))
