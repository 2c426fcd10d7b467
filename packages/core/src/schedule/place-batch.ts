import type { Bits } from './bits.ts'
import { forEachBit } from './bits.ts'
import { enter } from './bookkeeping.ts'
import type { NodeChooser } from './choose-node.ts'
import type { Entrypoint } from './entrypoint-table.ts'
import type { InstanceRequest, Peer } from './instance-request.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'
import { valueOrder } from './value-order.ts'

/** A node with how many of the batch it could hold, and how many it gets. */
interface Share {
  readonly row: number
  readonly position: number
  readonly capacity: number
  /** Of the entrypoint on it before. */
  readonly before: number
  got: number
}

/** True: what the first of the batch gets does not change which nodes will do for the others, but for what is free. */
export function canDeal(terms: Terms): boolean {
  const { max, strategy } = { max: terms.request.max, strategy: terms.strategy }
  if (terms.hasWishes || terms.near.length > 0 || max?.site !== undefined || strategy.type === 'balance') return false
  return !terms.apart.some((peer) => peer.over !== undefined && isOf(peer, terms.entrypoint))
}

const isOf = (peer: Peer, entrypoint: Entrypoint): boolean =>
  peer.app === entrypoint.app && (peer.entrypoint === undefined || peer.entrypoint === entrypoint.name)

/**
 * Places equal requests: what each node could hold is computed once, then they are dealt by the strategy, with the same counts as one
 * by one. Returns how many found a place; they are the first of `rows`.
 */
export function placeBatch(
  tables: Tables,
  chooser: NodeChooser,
  terms: Terms,
  request: InstanceRequest,
  rows: Int32Array,
): number {
  const mask = chooser.begin(terms, request)
  const shares = sharesIn(mask, tables, chooser, terms, rows.length)
  let placed = 0
  for (const share of deal(shares, rows.length, tables, chooser, terms)) {
    const need = chooser.fit.need(share.row)
    for (let i = 0; i < share.got; i++) enter(tables, rows[placed++]!, share.row, terms, need)
    tables.nodes.reindex(share.row)
  }
  return placed
}

function sharesIn(mask: Bits, tables: Tables, chooser: NodeChooser, terms: Terms, count: number): Share[] {
  const { ring } = tables.nodes
  const limit = Math.min(count, perNodeLimit(terms))
  const selfApart = terms.apart.some((peer) => peer.weight === undefined && isOf(peer, terms.entrypoint))
  const shares: Share[] = []
  forEachBit(mask, (position) => {
    const row = ring.rowAt[position]!
    const before = terms.entrypoint.counts.get(row)
    const room = selfApart ? Math.min(1, limit - before) : limit - before
    const capacity = Math.min(room, count, chooser.fit.capacity(row))
    if (capacity > 0) shares.push({ row, position, capacity, before, got: 0 })
  })
  return shares
}

export function perNodeLimit(terms: Terms): number {
  const { strategy } = terms
  const byStrategy = strategy.type === 'each' || strategy.type === 'fill' ? strategy.count : Number.POSITIVE_INFINITY
  return Math.min(terms.request.max?.node ?? Number.POSITIVE_INFINITY, byStrategy)
}

/** Those that get any, in the order of dealing. */
function deal(shares: Share[], count: number, tables: Tables, chooser: NodeChooser, terms: Terms): Share[] {
  const { spread } = terms.request
  if (spread === undefined) return dealAmong(shares, count, tables, chooser, terms)
  const column = tables.labels.of(spread.over, tables.nodes)
  const byValue = column.values.map((_, index) => shares.filter((share) => column.valueIndex[share.row] === index))
  const room = byValue.map((each) => each.reduce((sum, share) => sum + share.capacity, 0))
  const counts = terms.entrypoint.countsBy(column).slice()
  const wanted = new Int32Array(room.length)
  for (let i = 0; i < count; i++) {
    const index = valueOrder(counts, column.values, spread.shares).find((each) => wanted[each]! < room[each]!)
    if (index === undefined) break
    wanted[index] = wanted[index]! + 1
    counts[index] = counts[index]! + 1
  }
  return byValue.flatMap((each, index) => dealAmong(each, wanted[index]!, tables, chooser, terms))
}

function dealAmong(shares: Share[], count: number, tables: Tables, chooser: NodeChooser, terms: Terms): Share[] {
  const { freeness } = tables.nodes
  const turn = (share: Share): number => chooser.turnOf(share.position)
  const step = (share: Share): number => freeness.step(share.position)
  switch (terms.strategy.type) {
    case 'pack':
      shares.sort((a, b) => step(a) - step(b) || turn(a) - turn(b))
      return fill(shares, count)
    case 'drain-first':
      shares.sort((a, b) => a.capacity - b.capacity || step(b) - step(a) || turn(a) - turn(b))
      return fill(shares, count)
    case 'fill':
      shares.sort((a, b) => b.before - a.before || step(b) - step(a) || turn(a) - turn(b))
      return fill(shares, count)
    default:
      return level(shares, count, tables, chooser)
  }
}

function fill(shares: readonly Share[], count: number): Share[] {
  let left = count
  const used: Share[] = []
  for (const share of shares) {
    if (left === 0) break
    share.got = Math.min(share.capacity, left)
    left -= share.got
    used.push(share)
  }
  return used
}

/** As evenly as capacities allow, counting what was there: up to a level everywhere, the rest on the nodes that are then the most free. */
function level(shares: Share[], count: number, tables: Tables, chooser: NodeChooser): Share[] {
  const height = highestFull(shares, count)
  let left = count
  for (const share of shares) {
    share.got = upTo(share, height)
    left -= share.got
  }
  const next = shares.filter((share) => share.got < share.capacity && share.before + share.got <= height)
  const free = new Map(next.map((share) => [share, freeAfter(share, tables, chooser)]))
  next.sort((a, b) => free.get(b)! - free.get(a)! || chooser.turnOf(a.position) - chooser.turnOf(b.position))
  for (const share of next.slice(0, Math.max(0, left))) share.got++
  return shares.filter((share) => share.got > 0)
}

const upTo = (share: Share, height: number): number => Math.min(share.capacity, Math.max(0, height - share.before))

/** The highest level to which all can be raised with `count`. */
function highestFull(shares: readonly Share[], count: number): number {
  let low = 0
  let high = shares.reduce((most, share) => Math.max(most, share.before + share.capacity), 0)
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    let sum = 0
    for (const share of shares) sum += upTo(share, middle)
    if (sum <= count) low = middle
    else high = middle - 1
  }
  return low
}

function freeAfter(share: Share, { nodes }: Tables, chooser: NodeChooser): number {
  return nodes.stepAfter(share.row, chooser.fit.need(share.row), share.got)
}
