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
}

/** A {@link NetworkConfig} that holds together. */
export interface NetworkPlan {
  /** Of the whole cluster: between them no address is translated. */
  readonly pools: readonly AddressBlock[]
  /** What goes to elsewhere bears the node's address. */
  readonly natOutgoing: boolean
  readonly block: AddressBlock
  /** The bridge's address. */
  readonly gateway: string
  /** Without this node itself. */
  readonly peers: readonly PeerRoute[]
  /** Absent: the pool has no prefix. */
  readonly ipv6?: NetworkPlan6
}

/** Throws `network.invalid-block`, `network.invalid-address`, `network.block-overlap`. */
export function planNetwork(config: NetworkConfig): NetworkPlan {
  const pool = parseBlock(config.pool)
  const block = parseBlock(config.block)
  if (!containsBlock(pool, block)) {
    throw new BerthError(
      'network.invalid-block',
      `this node's block ${config.block} is not part of the pool ${config.pool}`,
    )
  }
  const peers = config.peers
    .map((peer) => ({ node: peer.node, block: parseBlock(peer.block), via: formatAddress(parseAddress(peer.via)) }))
    .filter((peer) => !isSame(peer.block, block))
  for (const [index, peer] of peers.entries()) {
    if (blocksOverlap(peer.block, block)) throw overlap(`node ${peer.node}`, peer.block, 'this node', block)
    const other = peers.slice(0, index).find((each) => blocksOverlap(each.block, peer.block))
    if (other !== undefined) throw overlap(`node ${peer.node}`, peer.block, `node ${other.node}`, other.block)
  }
  const pools = (config.pools ?? [config.pool]).map(parseBlock)
  const plan = { pools, natOutgoing: config.natOutgoing !== false, block, gateway: gatewayOf(block), peers }
  const ipv6 = planNetwork6(config, plan)
  return ipv6 === undefined ? plan : { ...plan, ipv6 }
}

const isSame = (a: AddressBlock, b: AddressBlock): boolean => a.base === b.base && a.prefix === b.prefix

function overlap(nameA: string, a: AddressBlock, nameB: string, b: AddressBlock): BerthError {
  return new BerthError(
    'network.block-overlap',
    `${nameA} (${formatBlock(a)}) and ${nameB} (${formatBlock(b)}) share addresses; remove one of the nodes and join it again`,
  )
}

/** undefined for `default` and for what is no IPv4 block. */
function blockOf(route: HostRoute): AddressBlock | undefined {
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
    const block = blockOf(route)
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
  const wanted = new Set(plan.peers.map((peer) => formatBlock(peer.block)))
  for (const route of ours) {
    const block = blockOf(route)
    if (block === undefined) continue
    if (learned?.has(formatBlock(block))) steps.push({ op: 'remove', block: formatBlock(block) })
    if (wanted.has(formatBlock(block)) || learned?.has(formatBlock(block))) continue
    const inTheWay = blocksOverlap(block, plan.block) || plan.peers.some((peer) => blocksOverlap(peer.block, block))
    if (removeAbsentPeers || inTheWay) steps.push({ op: 'remove', block: formatBlock(block) })
  }
  for (const peer of learned === undefined ? plan.peers : []) {
    const block = formatBlock(peer.block)
    const foreign = routes.find((route) => route.dst === block && route.protocol !== routeProtocol)
    if (foreign !== undefined) {
      problems.push(
        `route to node ${peer.node} (${block}): the host has a route of its own there (${describeRoute(foreign)}); remove it`,
      )
      continue
    }
    const current = ours.find((route) => route.dst === block)
    if (current?.gateway === peer.via && current.prefsrc === plan.gateway) continue
    steps.push({ op: 'set', node: peer.node, block, via: peer.via, source: plan.gateway })
  }
  return { steps, problems }
}

export function describeRoute(route: HostRoute): string {
  const via = route.gateway === undefined ? '' : ` via ${route.gateway}`
  return `${route.dst}${via}${route.dev === undefined ? '' : ` dev ${route.dev}`}`
}
