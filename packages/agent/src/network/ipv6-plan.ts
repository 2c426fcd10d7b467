import {
  type AddressBlock,
  blocksOverlap6,
  containsAddress,
  formatAddress6,
  formatBlock6,
  type NetworkConfig,
  parseAddress,
  parseBlock,
  parseBlock6,
  type TwinPool,
  type TwinRange,
  tryParseAddress,
  twinBlockOf,
  twinOf,
  twinRange,
} from '@berth/core'
import type { HostRoute } from './host-state.ts'
import { routedProtocol, routeProtocol } from './route-protocol.ts'

/** What a node's network has of IPv6, where its pool has a prefix. */
export interface NetworkPlan6 {
  /** Of the whole cluster: between them no address is translated. */
  readonly pools: readonly string[]
  /** The twin of the node's block: `fd77:1::a4d:300/120`. */
  readonly block: string
  readonly gateway: string
  /** Twins of its further blocks, and of the single addresses of others' that its instances have, `/128`. */
  readonly addresses: readonly string[]
  /** Of those of its block that instances of other nodes have, `/128`. */
  readonly away: readonly string[]
  readonly twins: readonly TwinPool[]
  /** Those whose pool has a prefix too. */
  readonly peers: readonly PeerRoute6[]
}

export interface PeerRoute6 {
  readonly node: string
  readonly block: string
  /** Twins of its further blocks, and of single addresses of others', `/128`. */
  readonly addresses: readonly string[]
  /** Its link-local address, made of that of IPv4. */
  readonly via: string
  /** By which link it is reached. */
  readonly via4: string
}

/** What there is of IPv4. */
interface PlanOf4 {
  readonly block: AddressBlock
  readonly gateway: string
  readonly addresses: readonly AddressBlock[]
  readonly away: readonly AddressBlock[]
  readonly peers: readonly {
    readonly node: string
    readonly block: AddressBlock
    readonly addresses: readonly AddressBlock[]
    readonly via: string
  }[]
}

/** undefined where the node's pool has no prefix. */
export function planNetwork6(
  { twins = [] }: Pick<NetworkConfig, 'twins'>,
  { block, gateway, addresses, away, peers }: PlanOf4,
): NetworkPlan6 | undefined {
  const ranges = twins.map(twinRange)
  const [own, gateway6] = [twinBlockOf(ranges, block), twinOf(ranges, gateway)]
  if (own === undefined || gateway6 === undefined) return undefined
  const peers6 = peers.flatMap((peer) => {
    const twin = twinBlockOf(ranges, peer.block)
    const more = { addresses: twinsOf(ranges, peer.addresses), via: linkAddressOf(peer.via), via4: peer.via }
    return twin === undefined ? [] : [{ node: peer.node, block: formatBlock6(twin), ...more }]
  })
  const pools = ranges.flatMap((range) => twinBlockOf([range], range.range) ?? []).map(formatBlock6)
  const single = { addresses: twinsOf(ranges, addresses), away: twinsOf(ranges, away) }
  return { pools, block: formatBlock6(own), gateway: gateway6, ...single, twins, peers: peers6 }
}

/** `10.77.3.0/24` → `fd77:1::a4d:300/120`, for those whose pool has a prefix. */
export const twinBlocksOf = ({ twins = [] }: Pick<NetworkConfig, 'twins'>, blocks: readonly string[]): string[] =>
  twinsOf(twins.map(twinRange), blocks.filter((each) => each !== '').map(parseBlock))

/** Those that have one. */
const twinsOf = (ranges: readonly TwinRange[], blocks: readonly AddressBlock[]): string[] =>
  blocks.flatMap((block) => twinBlockOf(ranges, block) ?? []).map(formatBlock6)

/** What packets of the node's instances bear. */
export const ownBlocks6 = ({ block, addresses }: Pick<NetworkPlan6, 'block' | 'addresses'>): readonly string[] => [
  ...[block, ...addresses],
]

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

/** Its blocks, the first one first. */
export const wholeBlocks6 = (of: Pick<NetworkPlan6, 'block' | 'addresses'>): readonly string[] =>
  ownBlocks6(of).filter((each) => !each.endsWith('/128'))

/** A single address is printed without its prefix. */
export const targetOf6 = ({ dst }: Pick<HostRoute, 'dst'>): string => (dst.includes('/') ? dst : `${dst}/128`)

/** Of two nodes that an address is said to be at, as while it moves, the last one counts. */
function wantedRoutes6({ peers }: Pick<NetworkPlan6, 'peers'>) {
  const wanted = peers.flatMap(({ block, addresses, ...peer }) =>
    [block, ...addresses].map((each) => [each, { ...peer, block: each }] as const),
  )
  return new Map(wanted)
}

/**
 * What to change in the host's routes of IPv6. A peer to which no link leads is left out: that is said of its route of IPv4. Run again after
 * applying, the plan is empty. Where routes are learned (`learned`: to these blocks by now), none is set, and each goes when it is not needed any more.
 */
export function planRoutes6(
  plan: Pick<NetworkPlan6, 'block' | 'addresses' | 'gateway' | 'peers'>,
  { routes, routes4 }: { readonly routes: readonly HostRoute[]; readonly routes4: readonly HostRoute[] },
  removeAbsentPeers: boolean,
  learned?: ReadonlySet<string>,
): RouteStep6[] {
  const { gateway, peers } = plan
  const wanted = wantedRoutes6(plan)
  const known = [plan, ...peers].flatMap(wholeBlocks6).map(parseBlock6)
  const isInTheWay = (target: string): boolean => known.some((block) => blocksOverlap6(block, parseBlock6(target)))
  const removed = routes
    .filter(({ dst, protocol }) => protocol === routeProtocol && dst !== 'default')
    .map(targetOf6)
    .filter((target) => learned?.has(target) || (!wanted.has(target) && (removeAbsentPeers || isInTheWay(target))))
    .map((block) => ({ op: 'remove' as const, block }))
  const byTarget = Map.groupBy(routes, targetOf6)
  const set = [...(learned === undefined ? wanted.values() : [])].flatMap(
    ({ node, block, via, via4 }): RouteStep6[] => {
      const there = byTarget.get(block) ?? []
      // The container that had the address here is on its way out.
      if (there.some(({ protocol }) => protocol === routedProtocol)) return []
      const dev = linkTo(via4, routes4)
      const current = there.find(({ protocol }) => protocol === routeProtocol)
      const isSame = current?.gateway === via && current.dev === dev && current.prefsrc === gateway
      if (dev === undefined || isSame) return []
      return [{ op: 'set', node, route: [block, 'via', via, 'dev', dev, 'src', gateway, 'proto', routeProtocol] }]
    },
  )
  return [...removed, ...set]
}
