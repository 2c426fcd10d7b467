import type { FurtherBlock } from '../model/index.ts'
import { tryParseAddress } from './address-block.ts'
import { blocksOf } from './further-blocks.ts'

/** An entry of a provider's route table. */
export interface CloudRoute {
  /** A node's block. */
  readonly destination: string
  /** The node's address. */
  readonly nextHop: string
  /** Who has made it, by the table's tags; absent: somebody who leaves none. */
  readonly owner?: string
}

/** An entry that is to be there. */
export interface WantedRoute {
  readonly node: string
  readonly destination: string
  readonly nextHop: string
}

/** What was done lately, whose result a table that is only in the end consistent may not show yet. */
export interface RecentChange {
  readonly destination: string
  /** Absent: it was taken away. */
  readonly nextHop?: string
}

export interface CloudRoutePlan {
  readonly put: readonly WantedRoute[]
  readonly remove: readonly string[]
  /** As wanted, and so in force. */
  readonly inForce: readonly WantedRoute[]
  /** Done, but not to be seen yet. */
  readonly pending: readonly WantedRoute[]
  /** Somebody else's entry leads elsewhere. */
  readonly foreign: readonly { readonly route: WantedRoute; readonly found: CloudRoute }[]
  /** Our entries that stay, since without them there would be none. */
  readonly kept: readonly string[]
}

export interface CloudPlanInput {
  readonly wanted: readonly WantedRoute[]
  readonly found: readonly CloudRoute[]
  /** Ours. */
  readonly owner: string
  readonly recent?: readonly RecentChange[]
}

/**
 * What to change in a provider's table. Entries of others are never touched. Where nothing is wanted nothing is taken away: a table is not
 * emptied, whatever the reason. Run again after applying, it changes nothing.
 */
export function planCloudRoutes({ wanted, found, owner, recent = [] }: CloudPlanInput): CloudRoutePlan {
  const byDestination = new Map(found.map((route) => [route.destination, route]))
  const changed = new Map(recent.map((change) => [change.destination, change]))
  const isWanted = new Set(wanted.map(({ destination }) => destination))
  const put: WantedRoute[] = []
  const inForce: WantedRoute[] = []
  const pending: WantedRoute[] = []
  const foreign: { route: WantedRoute; found: CloudRoute }[] = []
  for (const route of wanted) {
    const entry = byDestination.get(route.destination)
    if (entry?.nextHop === route.nextHop) inForce.push(route)
    else if (entry !== undefined && entry.owner !== owner) foreign.push({ route, found: entry })
    else if (changed.get(route.destination)?.nextHop === route.nextHop) pending.push(route)
    else put.push(route)
  }
  const left = found.filter((entry) => entry.owner === owner && !isWanted.has(entry.destination))
  const gone = left.map(({ destination }) => destination)
  if (wanted.length === 0) return { put, remove: [], inForce, pending, foreign, kept: gone }
  const isUnderWay = (each: string): boolean => changed.has(each) && changed.get(each)?.nextHop === undefined
  return { put, remove: gone.filter((each) => !isUnderWay(each)), inForce, pending, foreign, kept: [] }
}

export interface CloudNode {
  readonly name: string
  readonly block: string
  readonly furtherBlocks?: readonly FurtherBlock[]
  readonly address: string
  readonly labels: Readonly<Record<string, string>>
}

/** Entries of a table: one for each block of each node of its site, or of all where it has none. */
export const routesOfTable = (nodes: Iterable<CloudNode>, site: string | undefined): readonly WantedRoute[] =>
  [...nodes]
    .filter((node) => isOfTable(node, site) && tryParseAddress(node.address) !== undefined)
    .flatMap((node) => blocksOf(node).map((destination) => ({ node: node.name, destination, nextHop: node.address })))
    .sort((a, b) => (a.destination < b.destination ? -1 : 1))

export const isOfTable = ({ labels }: Pick<CloudNode, 'labels'>, site: string | undefined): boolean =>
  site === undefined || labels.site === site
