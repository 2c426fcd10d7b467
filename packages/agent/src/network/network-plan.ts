import {
  type AddressBlock,
  BerthError,
  blocksOverlap,
  containsBlock,
  formatAddress,
  formatBlock,
  gatewayOf,
  type NetworkConfig,
  parseAddress,
  parseBlock,
  tryParseAddress,
} from '@berth/core'
import type { HostRoute } from './host-state.ts'
import { type NetworkPlan6, planNetwork6 } from './ipv6-plan.ts'
import { routedProtocol, routeProtocol } from './route-protocol.ts'

/** Of the bridge that holds the node's block. */
export const bridgeName = 'berth0'

export interface PeerRoute {
  readonly node: string
  readonly block: AddressBlock
  readonly via: string
  /** Its further blocks, and single addresses of others', `/32`. */
  readonly addresses: readonly AddressBlock[]
}

/** Which addresses are this node's. */
export interface AddressPlan {
  /** Of the pool that the block is of. */
  readonly range: AddressBlock
  /** Of the whole cluster: between them no address is translated. */
  readonly pools: readonly AddressBlock[]
  readonly block: AddressBlock
  /** Further blocks of the node, and single addresses of other nodes' blocks that its instances have, `/32`. */
  readonly addresses: readonly AddressBlock[]
  /** Single addresses of the block that instances of other nodes have, `/32`. */
  readonly away: readonly AddressBlock[]
  /** The bridge's address. */
  readonly gateway: string
}

/** A {@link NetworkConfig} that holds together. */
export interface NetworkPlan extends AddressPlan {
  /** What goes to elsewhere bears the node's address. */
  readonly natOutgoing: boolean
  /** Without this node itself. */
  readonly peers: readonly PeerRoute[]
  /** Absent: the pool has no prefix. */
  readonly ipv6?: NetworkPlan6
}

/** Throws `network.invalid-block`, `network.invalid-address`. */
export function planAddresses(config: NetworkConfig): AddressPlan {
  const [range, block, addresses] = [parseBlock(config.pool), parseBlock(config.block), moreOf(config)]
  const own = [block, ...addresses]
  const others = config.peers.flatMap((peer) => asBlocks(peer.addresses))
  return {
    ...{ range, pools: (config.pools ?? [config.pool]).map(parseBlock), block, gateway: gatewayOf(block) },
    addresses,
    away: others.filter((each) => own.some((ours) => containsBlock(ours, each)) && !isOneOf(addresses, each)),
  }
}

/** Throws `network.invalid-block`, `network.invalid-address`, `network.block-overlap`. */
export function planNetwork(config: NetworkConfig): NetworkPlan {
  const plan = planAddresses(config)
  const { range, block, addresses } = plan
  if (!containsBlock(range, block)) {
    throw new BerthError(
      'network.invalid-block',
      `this node's block ${config.block} is not part of the pool ${config.pool}`,
    )
  }
  const peers = config.peers
    .map((peer) => ({
      ...{ node: peer.node, block: parseBlock(peer.block), via: formatAddress(parseAddress(peer.via)) },
      addresses: moreOf(peer).filter((each) => !isSingle(each) || !isOneOf(addresses, each)),
    }))
    .filter((peer) => !isSame(peer.block, block))
  requireApart([
    ...wholeBlocks(plan).map((each) => ({ name: 'this node', block: each })),
    ...peers.flatMap((peer) => wholeBlocks(peer).map((each) => ({ name: `node ${peer.node}`, block: each }))),
  ])
  const whole = { ...plan, natOutgoing: config.natOutgoing !== false, peers }
  const ipv6 = planNetwork6(config, whole)
  return ipv6 === undefined ? whole : { ...whole, ipv6 }
}

/** What packets of the node's instances bear. */
export const ownBlocks = ({ block, addresses }: Pick<AddressPlan, 'block' | 'addresses'>): readonly AddressBlock[] => [
  ...[block, ...addresses],
]

/** Its blocks, the first one first. */
export const wholeBlocks = (of: Pick<AddressPlan, 'block' | 'addresses'>): readonly AddressBlock[] =>
  ownBlocks(of).filter((each) => !isSingle(each))

const isSingle = ({ prefix }: AddressBlock): boolean => prefix === 32

const moreOf = ({ blocks = [], addresses }: Pick<NetworkConfig, 'blocks' | 'addresses'>): AddressBlock[] => [
  ...blocks.map(parseBlock),
  ...asBlocks(addresses),
]

const asBlocks = (addresses: readonly string[] = []): AddressBlock[] =>
  addresses.map((each) => ({ base: parseAddress(each), prefix: 32 }))

const isOneOf = (blocks: readonly AddressBlock[], block: AddressBlock): boolean =>
  blocks.some((each) => isSame(each, block))

const isSame = (a: AddressBlock, b: AddressBlock): boolean => a.base === b.base && a.prefix === b.prefix

/** Blocks have no bits behind their prefix: in order, one that shares addresses with others does so with the next. */
function requireApart(blocks: readonly { readonly name: string; readonly block: AddressBlock }[]): void {
  const sorted = [...blocks].sort((a, b) => a.block.base - b.block.base || a.block.prefix - b.block.prefix)
  for (const [index, { name, block }] of sorted.entries()) {
    const next = sorted[index + 1]
    if (next !== undefined && blocksOverlap(block, next.block)) throw overlap(name, block, next.name, next.block)
  }
}

function overlap(nameA: string, a: AddressBlock, nameB: string, b: AddressBlock): BerthError {
  return new BerthError(
    'network.block-overlap',
    `${nameA} (${formatBlock(a)}) and ${nameB} (${formatBlock(b)}) share addresses; remove one of the nodes and join it again`,
  )
}

/** undefined for `default` and for what is no IPv4 block. */
export function blockOfRoute(route: Pick<HostRoute, 'dst'>): AddressBlock | undefined {
  const [address = '', prefix = '32'] = route.dst.split('/')
  const base = tryParseAddress(address)
  return base === undefined ? undefined : { base, prefix: Number(prefix) }
}

/** Ours: made by us, or by Docker for our bridge. */
const isOurs = (route: HostRoute): boolean =>
  route.protocol === routeProtocol || route.protocol === routedProtocol || route.dev === bridgeName

/**
 * The first route of the host that the pool must not be laid over: one to a part of the pool, or a network the host itself is on. A
 * wider route to elsewhere (`10.0.0.0/8` to a VPN) is fine: ours are more exact.
 */
export function findCollision(pool: AddressBlock, routes: readonly HostRoute[]): HostRoute | undefined {
  return routes.find((route) => {
    const block = blockOfRoute(route)
    if (block === undefined || isOurs(route)) return false
    return containsBlock(pool, block) || (route.scope === 'link' && containsBlock(block, pool))
  })
}

export type RouteStep =
  | { readonly op: 'set'; readonly node: string; readonly block: string; readonly via: string; readonly source: string }
  | { readonly op: 'remove'; readonly block: string }

export interface RoutePlan {
  readonly steps: readonly RouteStep[]
  /** Peers whose block somebody else has a route to, in a sentence each. */
  readonly problems: readonly string[]
}

interface WantedRoute {
  readonly node: string
  readonly block: string
  readonly via: string
}

/** Of two nodes that an address is said to be at, as while it moves, the last one counts. */
function wantedRoutes({ peers }: NetworkPlan): readonly WantedRoute[] {
  const wanted = peers.flatMap(({ node, via, block, addresses }) =>
    [block, ...addresses].map((each) => ({ node, via, block: formatBlock(each) })),
  )
  return [...new Map(wanted.map((each) => [each.block, each])).values()]
}

/**
 * What to change in the host's routes so that every peer's block is reached by its node. Packets of the node itself bear the bridge's
 * address, which every peer knows the way back to. Run again after applying, the plan is empty. Where routes are learned (`learned`: to
 * these blocks by now), none is set, and each goes when it is not needed any more.
 */
export function planRoutes(
  plan: NetworkPlan,
  routes: readonly HostRoute[],
  removeAbsentPeers: boolean,
  learned?: ReadonlySet<string>,
): RoutePlan {
  const steps: RouteStep[] = []
  const problems: string[] = []
  const ours = routes.filter((route) => route.protocol === routeProtocol)
  const targets = wantedRoutes(plan)
  const wanted = new Set(targets.map(({ block }) => block))
  for (const route of ours) {
    const block = blockOfRoute(route)
    if (block === undefined) continue
    if (learned?.has(formatBlock(block))) steps.push({ op: 'remove', block: formatBlock(block) })
    if (wanted.has(formatBlock(block)) || learned?.has(formatBlock(block))) continue
    const inTheWay = [plan, ...plan.peers].some((each) =>
      wholeBlocks(each).some((other) => blocksOverlap(other, block)),
    )
    if (removeAbsentPeers || inTheWay) steps.push({ op: 'remove', block: formatBlock(block) })
  }
  const byTarget = Map.groupBy(routes, targetOf)
  for (const { node, block, via } of learned === undefined ? targets : []) {
    const there = byTarget.get(block) ?? []
    const foreign = there.find((route) => route.protocol !== routeProtocol)
    if (foreign !== undefined) {
      // The container that had the address here is on its way out.
      if (foreign.protocol === routedProtocol) continue
      problems.push(
        `route to node ${node} (${block}): the host has a route of its own there (${describeRoute(foreign)}); remove it`,
      )
      continue
    }
    const [current] = there
    if (current?.gateway === via && current.prefsrc === plan.gateway) continue
    steps.push({ op: 'set', node, block, via, source: plan.gateway })
  }
  return { steps, problems }
}

/** A single address is printed without its prefix. */
const targetOf = ({ dst }: HostRoute): string => (dst.includes('/') ? dst : `${dst}/32`)

export function describeRoute(route: HostRoute): string {
  const via = route.gateway === undefined ? '' : ` via ${route.gateway}`
  return `${route.dst}${via}${route.dev === undefined ? '' : ` dev ${route.dev}`}`
}
