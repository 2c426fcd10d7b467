import {
  type AddressBlock,
  containsAddress,
  formatAddress6,
  formatBlock6,
  type NetworkConfig,
  parseAddress,
  tryParseAddress,
  twinBlockOf,
  twinOf,
  twinRange,
} from '@berth/core'
import type { HostRoute } from './host-state.ts'
import { routeProtocol } from './route-protocol.ts'

/** What a node's network has of IPv6, where its pool has a prefix. */
export interface NetworkPlan6 {
  /** Of the whole cluster: between them no address is translated. */
  readonly pools: readonly string[]
  /** The twin of the node's block: `fd77:1::a4d:300/120`. */
  readonly block: string
  readonly gateway: string
  /** Those whose pool has a prefix too. */
  readonly peers: readonly PeerRoute6[]
}

export interface PeerRoute6 {
  readonly node: string
  readonly block: string
  /** Its link-local address, made of that of IPv4. */
  readonly via: string
  /** By which link it is reached. */
  readonly via4: string
}

/** What there is of IPv4. */
interface PlanOf4 {
  readonly block: AddressBlock
  readonly gateway: string
  readonly peers: readonly { readonly node: string; readonly block: AddressBlock; readonly via: string }[]
}

/** undefined where the node's pool has no prefix. */
export function planNetwork6(
  { twins = [] }: Pick<NetworkConfig, 'twins'>,
  { block, gateway, peers }: PlanOf4,
): NetworkPlan6 | undefined {
  const ranges = twins.map(twinRange)
  const [own, gateway6] = [twinBlockOf(ranges, block), twinOf(ranges, gateway)]
  if (own === undefined || gateway6 === undefined) return undefined
  const peers6 = peers.flatMap((peer) => {
    const twin = twinBlockOf(ranges, peer.block)
    const via = { via: linkAddressOf(peer.via), via4: peer.via }
    return twin === undefined ? [] : [{ node: peer.node, block: formatBlock6(twin), ...via }]
  })
  const pools = ranges.flatMap((range) => twinBlockOf([range], range.range) ?? []).map(formatBlock6)
  return { pools, block: formatBlock6(own), gateway: gateway6, peers: peers6 }
}

const linkHigh = (0xfe80n << 112n) | (0xben << 32n)
/** All link-local addresses of nodes begin so. */
export const linkAddressPrefix = 'fe80::be:'

/**
 * The link-local address of a node, made of its IPv4 one: `10.0.0.11` → `fe80::be:a00:b`. So peers know it, and nodes of one layer 2 network reach
 * each other by IPv6 without an address that somebody has given them.
 */
export const linkAddressOf = (address: string): string => formatAddress6(linkHigh | BigInt(parseAddress(address)))

/** The link by which a neighbour is reached: that of the most exact of the host's routes without a next hop. */
export function linkTo(address: string, routes: readonly HostRoute[]): string | undefined {
  let best: { readonly dev: string; readonly prefix: number } | undefined
  for (const { dst, gateway, dev } of routes) {
    const [text = '', length = '32'] = dst.split('/')
    const base = tryParseAddress(text)
    const prefix = Number(length)
    if (base === undefined || gateway !== undefined || dev === undefined || (best?.prefix ?? -1) >= prefix) continue
    if (containsAddress({ base, prefix }, address)) best = { dev, prefix }
  }
  return best?.dev
}

export type RouteStep6 =
  | { readonly op: 'set'; readonly node: string; readonly route: readonly string[] }
  | { readonly op: 'remove'; readonly block: string }

/**
 * What to change in the host's routes of IPv6. A peer to which no link leads is left out: that is said of its route of IPv4. Run again after
 * applying, the plan is empty.
 */
export function planRoutes6(
  { peers, gateway }: NetworkPlan6,
  { routes, routes4 }: { readonly routes: readonly HostRoute[]; readonly routes4: readonly HostRoute[] },
  removeAbsentPeers: boolean,
): RouteStep6[] {
  const wanted = new Set(peers.map(({ block }) => block))
  const absent = routes.filter(({ dst, protocol }) => protocol === routeProtocol && !wanted.has(dst))
  const removed = removeAbsentPeers ? absent.map(({ dst }) => ({ op: 'remove' as const, block: dst })) : []
  const set = peers.flatMap(({ node, block, via, via4 }): RouteStep6[] => {
    const dev = linkTo(via4, routes4)
    const current = routes.find(({ dst, protocol }) => dst === block && protocol === routeProtocol)
    const isSame = current?.gateway === via && current.dev === dev && current.prefsrc === gateway
    if (dev === undefined || isSame) return []
    return [{ op: 'set', node, route: [block, 'via', via, 'dev', dev, 'src', gateway, 'proto', routeProtocol] }]
  })
  return [...removed, ...set]
}
