import { containsAddress, parseBlock } from '@berth/core'
import type { HostRoute } from '../host-state.ts'
import { ownAlias } from './lan-plan.ts'

/** An IPv4 address of a link. */
export interface FlatAddress {
  readonly local: string
  readonly prefixlen: number
  readonly broadcast?: string
}

/** With what has to be moved of it as well, as `ip -json route` prints it. */
export interface FlatRoute extends HostRoute {
  readonly metric?: number
  readonly flags?: readonly string[]
  readonly nexthops?: readonly { readonly dev?: string }[]
}

export interface FlatLink {
  readonly mac: string
  readonly mtu: number
  readonly master?: string
  readonly addresses: readonly FlatAddress[]
  /** Why its addresses cannot be moved, as the end of a sentence. */
  readonly hindrance?: string
}

/** What is to be where the other link is. */
export interface FlatShape {
  readonly addresses: readonly FlatAddress[]
  readonly routes: readonly FlatRoute[]
}

export interface FlatFacts {
  readonly link: FlatLink
  readonly bridge?: FlatLink
  /** All unicast routes of the main table. */
  readonly routes: readonly FlatRoute[]
}

/** The kernel makes those of addresses by itself. */
export const routesBy = (routes: readonly FlatRoute[], dev: string): readonly FlatRoute[] =>
  routes.filter((route) => route.dev === dev && route.protocol !== 'kernel')

/** What the machine has by the link and by the bridge, wherever half a move has left it. */
export function shapeOf(
  { link, bridge, routes }: FlatFacts,
  names: readonly [link: string, bridge: string],
): FlatShape {
  const all = [...link.addresses, ...(bridge?.addresses ?? [])]
  return {
    addresses: [...new Map(all.map((each) => [`${each.local}/${each.prefixlen}`, each])).values()],
    routes: names.flatMap((name) => routesBy(routes, name)),
  }
}

/** True when the link is a port of the bridge, which has all its addresses. */
export const isMoved = ({ link, bridge }: FlatFacts, bridgeName: string): boolean =>
  link.master === bridgeName && link.addresses.length === 0 && (bridge?.addresses.length ?? 0) > 0

/** The address of the machine itself in the subnet. */
export const ownIn = ({ addresses }: FlatShape, subnet: string): string | undefined =>
  addresses.find(({ local }) => containsAddress(parseBlock(subnet), local))?.local

/** Routers next to the machine by which it gets elsewhere. */
export const gatewaysOf = ({ routes }: FlatShape): readonly string[] => [
  ...new Set(routes.flatMap(({ gateway }) => gateway ?? [])),
]

/**
 * Lines for `ip -batch`, which takes them in some milliseconds: the bridge gets the link's MAC, so that nobody else notices, then its addresses
 * and routes.
 */
export function moveLines(link: string, bridge: string, facts: FlatFacts): readonly string[] {
  const { addresses, routes } = shapeOf(facts, [link, bridge])
  const there = new Set(facts.link.addresses.map(({ local }) => local))
  return [
    ...(facts.bridge === undefined ? [`link add name ${bridge} type bridge stp_state 0 forward_delay 0`] : []),
    `link set dev ${bridge} address ${facts.link.mac}`,
    `link set dev ${bridge} mtu ${facts.link.mtu}`,
    `link set dev ${bridge} alias ${ownAlias}`,
    // A bridge that is up before it has a port sends nothing until the kernel has seen its carrier, which may be a second later.
    `link set dev ${link} master ${bridge}`,
    `link set dev ${bridge} up`,
    ...addresses.map((each) => addressLine('replace', each, bridge)),
    ...lastFirst(addresses)
      .filter(({ local }) => there.has(local))
      .map((each) => addressLine('del', each, link)),
    ...inOrder(routes).map((route) => routeLine(route, bridge)),
  ]
}

/** The way back. Some of it may be so already: to be taken with `-force`. */
export const returnLines = (link: string, bridge: string, { addresses, routes }: FlatShape): readonly string[] => [
  `link set dev ${link} nomaster`,
  ...addresses.map((each) => addressLine('replace', each, link)),
  ...lastFirst(addresses).map((each) => addressLine('del', each, bridge)),
  ...inOrder(routes).map((route) => routeLine(route, link)),
  `link delete dev ${bridge}`,
]

/** With the first address of a subnet the kernel takes the others of it away. */
const lastFirst = (addresses: readonly FlatAddress[]): readonly FlatAddress[] => addresses.toReversed()

/** A router that is reached by a route of its own comes after that route. */
const inOrder = (routes: readonly FlatRoute[]): readonly FlatRoute[] =>
  routes.toSorted((a, b) => Number(a.gateway !== undefined) - Number(b.gateway !== undefined))

const addressLine = (verb: 'replace' | 'del', { local, prefixlen, broadcast }: FlatAddress, dev: string): string =>
  [
    `address ${verb} ${local}/${prefixlen}`,
    ...(verb === 'del' || broadcast === undefined ? [] : [`brd ${broadcast}`]),
    `dev ${dev}`,
  ].join(' ')

const routeLine = (route: FlatRoute, dev: string): string =>
  [
    `route replace ${route.dst}`,
    ...(route.gateway === undefined ? [] : [`via ${route.gateway}`]),
    `dev ${dev}`,
    ...(route.protocol === undefined ? [] : [`proto ${route.protocol}`]),
    ...(route.scope === undefined ? [] : [`scope ${route.scope}`]),
    ...(route.prefsrc === undefined ? [] : [`src ${route.prefsrc}`]),
    ...(route.metric === undefined ? [] : [`metric ${route.metric}`]),
    ...(route.flags?.includes('onlink') === true ? ['onlink'] : []),
  ].join(' ')
