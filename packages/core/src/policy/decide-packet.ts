import { nodeDnsAddress } from '../network/node-dns-address.ts'
import { netHas } from './policy-net.ts'
import { bookedAddress, type PolicyEndpoint, type PolicyWorld, tagsOf } from './policy-world.ts'
import type { PolicyPeer, PolicyRule, PortRange } from './profile.ts'

/** The first packet of a connection, or one of a connection that stands (`isReply`: established or related). Of IPv4, or of IPv6 with addresses in their one form. */
export interface Packet {
  readonly source: string
  readonly destination: string
  /** `gre` and the like are protocols too; of IPv6 `icmpv6`. */
  readonly protocol: string
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly icmpType?: number
  readonly icmpCode?: number
  readonly isReply?: boolean
}

export type PolicyReason =
  /** `number` counts from 1 in its list. */
  | { readonly kind: 'rule'; readonly profile: string; readonly number: number; readonly rule: PolicyRule }
  /** None of its rules matches. */
  | { readonly kind: 'no-rule' }
  /** An instance that names none. */
  | { readonly kind: 'no-profile' }
  /** No instance: nothing is enforced on this end. */
  | { readonly kind: 'no-instance' }
  | { readonly kind: 'established' | 'own-node' | 'gateway' | 'resolver' | 'neighbour' }

export interface EndDecision {
  readonly allowed: boolean
  readonly reason: PolicyReason
}

export interface PacketDecision {
  readonly allowed: boolean
  /** Where it comes from. */
  readonly outbound: EndDecision
  /** Where it goes to. */
  readonly inbound: EndDecision
}

/** What the nodes of both ends do with a packet, and why. The inbound end is told also when the outbound one has dropped it. */
export function decidePacket(packet: Packet, world: PolicyWorld): PacketDecision {
  const outbound = decideOutbound(packet, world)
  const inbound = decideInbound(packet, world)
  return { allowed: outbound.allowed && inbound.allowed, outbound, inbound }
}

function decideOutbound(packet: Packet, world: PolicyWorld): EndDecision {
  const endpoint = world.endpoints.get(bookedAddress(world, packet.source))
  if (endpoint === undefined) return passes('no-instance')
  if (endpoint.profiles.length === 0) return passes('no-profile')
  if (packet.isReply === true) return passes('established')
  if (isNeighbourly(packet)) return passes('neighbour')
  if (asksResolver(packet)) return passes('resolver')
  return byRules('outbound', endpoint, packet, world)
}

function decideInbound(packet: Packet, world: PolicyWorld): EndDecision {
  const endpoint = world.endpoints.get(bookedAddress(world, packet.destination))
  if (endpoint === undefined) return passes('no-instance')
  const sender = world.nodes.get(bookedAddress(world, packet.source))
  if (endpoint.profiles.length === 0) return passes('no-profile')
  if (packet.isReply === true) return passes('established')
  if (isNeighbourly(packet)) return passes('neighbour')
  if (sender?.name === endpoint.node) return passes('own-node')
  if (sender?.isGateway === true && ['tcp', 'udp'].includes(packet.protocol)) return passes('gateway')
  return byRules('inbound', endpoint, packet, world)
}

const passes = (kind: Exclude<PolicyReason['kind'], 'rule' | 'no-rule'>): EndDecision => ({
  allowed: true,
  reason: { kind },
})

/**
 * ICMPv6 without which no packet of IPv6 goes: "packet too big", and who is a router or a neighbour and where.
 */
export const neighbourTypes: readonly number[] = [2, 133, 134, 135, 136]

const isNeighbourly = ({ protocol, icmpType }: Packet): boolean =>
  protocol === 'icmpv6' && icmpType !== undefined && neighbourTypes.includes(icmpType)

const asksResolver = ({ destination, destinationPort, protocol }: Packet): boolean =>
  destination === nodeDnsAddress && destinationPort === 53 && (protocol === 'udp' || protocol === 'tcp')

function byRules(
  end: 'inbound' | 'outbound',
  endpoint: PolicyEndpoint,
  packet: Packet,
  world: PolicyWorld,
): EndDecision {
  for (const name of endpoint.profiles) {
    const rules = world.profiles.get(name)?.[end] ?? []
    const index = rules.findIndex((rule) => matches(rule, packet, world))
    const rule = rules[index]
    if (rule === undefined) continue
    return { allowed: rule.action === 'allow', reason: { kind: 'rule', profile: name, number: index + 1, rule } }
  }
  return { allowed: false, reason: { kind: 'no-rule' } }
}

function matches(rule: PolicyRule, packet: Packet, world: PolicyWorld): boolean {
  if (rule.protocol !== undefined && rule.protocol !== packet.protocol) return false
  if (rule.icmpType !== undefined && rule.icmpType !== packet.icmpType) return false
  if (rule.icmpCode !== undefined && rule.icmpCode !== packet.icmpCode) return false
  return (
    isPeer(rule.source, packet.source, packet.sourcePort, world) &&
    isPeer(rule.destination, packet.destination, packet.destinationPort, world)
  )
}

function isPeer(peer: PolicyPeer, address: string, port: number | undefined, world: PolicyWorld): boolean {
  const { ports } = peer
  return (ports === undefined || hasPort(ports, port)) && isPeerAddress(peer, address, world)
}

/** Ports aside. */
export function isPeerAddress(
  { tag, net }: Pick<PolicyPeer, 'tag' | 'net'>,
  address: string,
  world: PolicyWorld,
): boolean {
  if (net !== undefined && !netHas(net, address)) return false
  if (tag === undefined) return true
  if (world.externals?.get(address)?.includes(tag) === true) return true
  const endpoint = world.endpoints.get(bookedAddress(world, address))
  return endpoint !== undefined && tagsOf(endpoint, world.profiles).has(tag)
}

export const hasPort = (ports: readonly PortRange[], port: number | undefined): boolean =>
  port !== undefined && ports.some(({ first, last }) => first <= port && port <= last)
