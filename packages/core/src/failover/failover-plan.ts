import type { RoutesMode } from '../network/bgp-settings.ts'
import { hashText } from '../schedule/hash-text.ts'
import { type FailoverAddress, failoverWay } from './failover-address.ts'

/** What of a node matters to who holds an address. */
export interface FailoverNode {
  readonly name: string
  readonly address: string
  readonly labels: Readonly<Record<string, string>>
  readonly joinedAt: number
  /** It is being drained. */
  readonly drain?: unknown
}

/** An address that a node may hold, or announces. */
export type NodeFailoverAddress =
  | { readonly address: string; readonly by: 'bgp' }
  | {
      readonly address: string
      readonly by: 'vrrp'
      readonly router: number
      /** The highest among those that are well has it; no two of an address are the same. */
      readonly priority: number
      /** Addresses of the other gateways that may hold it. */
      readonly peers: readonly string[]
    }

/** What a node is told of them. */
export interface NodeFailover {
  /** Its own address, from which it speaks with its peers. */
  readonly source: string
  readonly addresses: readonly NodeFailoverAddress[]
}

export interface FailoverPlanInput {
  readonly mode: RoutesMode
  readonly addresses: readonly FailoverAddress[]
  readonly nodes: readonly FailoverNode[]
}

/** The nearer to 255, the sooner VRRP's next one takes over from one that says goodbye. */
const highestPriority = 254
/** Each of those that may hold an address has a priority of its own. */
export const maxCandidates = 150

export const isGatewayNode = ({ labels }: Pick<FailoverNode, 'labels'>): boolean => labels.gateway === 'true'

/**
 * Gateways that may hold the address, in the order in which they joined. Those that are being drained may not, unless there is no other:
 * an address of one that goes on serving is worth more than none.
 */
export function candidatesFor({ site }: Pick<FailoverAddress, 'site'>, nodes: readonly FailoverNode[]): FailoverNode[] {
  const gateways = nodes.filter((node) => isGatewayNode(node) && (site === undefined || node.labels.site === site))
  const staying = gateways.filter(({ drain }) => drain === undefined)
  return (staying.length > 0 ? staying : gateways)
    .toSorted((a, b) => a.joinedAt - b.joinedAt || (a.name < b.name ? -1 : 1))
    .slice(0, maxCandidates)
}

/**
 * Who may hold which address, and whom each prefers: of addresses and nodes alone, so that every server says the same. Addresses that the
 * same gateways may hold are preferred by as many different ones as there are; an address that is added moves none of the others.
 */
export function planFailover({ mode, addresses, nodes }: FailoverPlanInput): ReadonlyMap<string, NodeFailover> {
  const plan = new Map<string, { readonly source: string; readonly addresses: NodeFailoverAddress[] }>()
  const add = ({ name, address: source }: FailoverNode, entry: NodeFailoverAddress): void => {
    const known = plan.get(name)
    if (known === undefined) plan.set(name, { source, addresses: [entry] })
    else known.addresses.push(entry)
  }
  const load = new Map<string, number>()
  for (const each of addresses.toSorted(byAge)) {
    const { address, router } = each
    const way = failoverWay(each, mode)
    if (way === undefined) continue
    const candidates = candidatesFor(each, nodes)
    if (way === 'bgp') for (const node of candidates) add(node, { address, by: 'bgp' })
    else {
      const ranked = rank(address, candidates, load)
      ranked.forEach((node, place) => {
        const peers = candidates.filter(({ name }) => name !== node.name).map((peer) => peer.address)
        add(node, { address, by: 'vrrp', router, priority: highestPriority - place, peers })
      })
      const [preferred] = ranked
      if (preferred !== undefined) load.set(preferred.name, (load.get(preferred.name) ?? 0) + 1)
    }
  }
  return plan
}

/** The one that has the fewest comes first. */
function rank(address: string, nodes: readonly FailoverNode[], load: ReadonlyMap<string, number>): FailoverNode[] {
  const loadOf = ({ name }: FailoverNode): number => load.get(name) ?? 0
  const scores = new Map(nodes.map(({ name }) => [name, hashText(`${address} ${name}`)]))
  const scoreOf = ({ name }: FailoverNode): number => scores.get(name) ?? 0
  return nodes.toSorted((a, b) => loadOf(a) - loadOf(b) || scoreOf(b) - scoreOf(a) || (a.name < b.name ? -1 : 1))
}

const byAge = (a: FailoverAddress, b: FailoverAddress): number => a.createdAt - b.createdAt || a.router - b.router

/** Whom the address prefers; undefined: nobody, or everybody who is well has it. */
export function preferredFor(plan: ReadonlyMap<string, NodeFailover>, address: string): string | undefined {
  for (const [node, { addresses }] of plan)
    if (addresses.some((each) => each.address === address && each.by === 'vrrp' && each.priority === highestPriority))
      return node
  return undefined
}
