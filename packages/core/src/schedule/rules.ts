import { andBits, andNotBits, type Bits, clearBit, orBits } from './bits.ts'
import type { Entrypoint } from './entrypoint-table.ts'
import { formatPeerName } from './entrypoint-table.ts'
import type { FilterName, Peer } from './instance-request.ts'
import type { LabelColumn } from './label-index.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'

/** Called after each rule that may have taken nodes out of the set. */
export type Told = (filter: FilterName, text: string) => void

const silent: Told = () => {}

/**
 * Takes out of a set of positions the nodes that break a rule about what is placed already: ports, anti-affinity and affinity, limits per
 * node and site, the labels of a spread.
 */
export function applyRules(mask: Bits, terms: Terms, tables: Tables, told: Told = silent): void {
  if (terms.request.spread !== undefined) keepSpread(mask, terms, tables, told)
  for (const port of terms.hostPorts) {
    const taken = tables.ports.get(port)
    taken?.visit((row) => {
      clearPosition(mask, row, tables)
    })
    if (taken !== undefined) told('port', `port ${port} taken`)
  }
  for (const peer of terms.apart) if (peer.weight === undefined) keepApart(mask, peer, tables, told)
  tables.terms.visitEnemies(terms.entrypoint, ({ entrypoint }, peer) => {
    // Its own rule has been kept above.
    if (entrypoint === terms.entrypoint && terms.apart.includes(peer)) return
    removeAround(mask, entrypoint, peer.over, tables)
    if (told !== silent)
      told('apart', `anti-affinity with ${formatPeerName({ app: entrypoint.app, entrypoint: entrypoint.name })}`)
  })
  for (const peer of terms.near) if (peer.weight === undefined) keepNear(mask, peer, terms, tables, told)
  const { max } = terms.request
  if (max?.node !== undefined) limitPerNode(mask, terms.entrypoint, max.node, tables, told)
  if (max?.site !== undefined) limitPerSite(mask, terms.entrypoint, max.site, tables, told)
  const { strategy } = terms
  if (strategy.type === 'each' || strategy.type === 'fill')
    limitPerNode(mask, terms.entrypoint, strategy.count, tables, told)
}

function keepSpread(mask: Bits, terms: Terms, tables: Tables, told: Told): void {
  const { over, shares } = terms.request.spread!
  const column = tables.labels.of(over, tables.nodes)
  if (shares === undefined) andBits(mask, column.any)
  else {
    const kept: Bits = new Int32Array(mask.length)
    for (const [index, value] of column.values.entries())
      if ((shares[value] ?? 0) > 0) orBits(kept, column.bits[index]!)
    andBits(mask, kept)
  }
  told('spread', shares === undefined ? `without ${over}` : `${over} has no share`)
}

function keepApart(mask: Bits, peer: Peer, tables: Tables, told: Told): void {
  for (const entrypoint of tables.entrypoints.matching(peer)) removeAround(mask, entrypoint, peer.over, tables)
  if (told !== silent) told('apart', `anti-affinity with ${formatPeerName(peer)}`)
}

function removeAround(mask: Bits, entrypoint: Entrypoint, over: string | undefined, tables: Tables): void {
  if (entrypoint.total === 0) return
  if (over === undefined) {
    entrypoint.removeAtLeast(mask, 1, tables.nodes.ring)
    return
  }
  const column = tables.labels.of(over, tables.nodes)
  for (const index of valuesWith(entrypoint, column)) andNotBits(mask, column.bits[index]!)
}

function keepNear(mask: Bits, peer: Peer, terms: Terms, tables: Tables, told: Told): void {
  const kept = around(peer, tables, mask.length)
  // The first of those that want to be near themselves goes anywhere.
  if (kept === undefined && matches(peer, terms.entrypoint)) return
  if (kept === undefined) mask.fill(0)
  else andBits(mask, kept)
  told('near', `no ${formatPeerName(peer)} near`)
}

/** The positions on or beside which there are instances of the peer; undefined: it has none anywhere. */
export function around(peer: Peer, tables: Tables, length: number): Bits | undefined {
  const column = peer.over === undefined ? undefined : tables.labels.of(peer.over, tables.nodes)
  const kept = new Int32Array(length)
  let total = 0
  for (const entrypoint of tables.entrypoints.matching(peer)) {
    total += entrypoint.total
    if (column === undefined) entrypoint.addTo(kept, tables.nodes.ring)
    else for (const index of valuesWith(entrypoint, column)) orBits(kept, column.bits[index]!)
  }
  return total === 0 ? undefined : kept
}

const matches = (peer: Peer, entrypoint: Entrypoint): boolean =>
  peer.app === entrypoint.app && (peer.entrypoint === undefined || peer.entrypoint === entrypoint.name)

function valuesWith(entrypoint: Entrypoint, column: LabelColumn): number[] {
  const counts = entrypoint.countsBy(column)
  return column.values.flatMap((_, index) => (counts[index]! > 0 ? [index] : []))
}

function limitPerNode(mask: Bits, entrypoint: Entrypoint, limit: number, tables: Tables, told: Told): void {
  entrypoint.removeAtLeast(mask, Math.max(1, limit), tables.nodes.ring)
  told('per-node', `with ${limit} of ${entrypoint.key} already`)
}

function limitPerSite(mask: Bits, entrypoint: Entrypoint, limit: number, tables: Tables, told: Told): void {
  const column = tables.labels.of('site', tables.nodes)
  const counts = entrypoint.countsBy(column)
  for (const [index, count] of counts.entries()) if (count >= limit) andNotBits(mask, column.bits[index]!)
  told('per-site', `in a site with ${limit} of ${entrypoint.key} already`)
}

function clearPosition(mask: Bits, row: number, { nodes }: Tables): void {
  const position = nodes.ring.positionOf[row] ?? -1
  if (position >= 0) clearBit(mask, position)
}
