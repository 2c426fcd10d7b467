import { hasPort, isPeerAddress } from './decide-packet.ts'
import { bookedAddress, type PolicyWorld } from './policy-world.ts'
import type { PolicyRule, PortRange } from './profile.ts'
import { formatRange, joinRanges } from './read-ports.ts'

/** Sorted, disjoint: destination ports; of ICMP (between addresses of IPv6 that of IPv6) `type * 256 + code`; of other protocols one number that stands for all. */
export type Spans = readonly PortRange[]

export const reachProtocols = ['tcp', 'udp', 'icmp', 'other'] as const
export type ReachProtocol = (typeof reachProtocols)[number]

/** The first packets that pass from one address to another. */
export type PacketReach = Readonly<Record<ReachProtocol, Spans>>

/** Programs let the system choose their port; rules about source ports are asked for this one. */
export const usualSourcePort = 49_152

const whole: Spans = [{ first: 0, last: 65_535 }]
const nothing: Spans = []
const everything: PacketReach = { tcp: whole, udp: whole, icmp: whole, other: whole }

/**
 * What both ends let through, by the same reading of rules as {@link decidePacket}, for all ports at once. Both addresses are of one version. What IPv6
 * itself needs between neighbours (`neighbourTypes`) passes in any case and is not looked at.
 */
export function reachBetween(source: string, destination: string, world: PolicyWorld): PacketReach {
  const out = outboundReach(source, destination, world)
  const into = inboundReach(source, destination, world)
  return byProtocol((protocol) => common(out[protocol], into[protocol]))
}

export const isEverything = (reach: PacketReach): boolean => reachProtocols.every((each) => isWhole(reach[each]))
export const isNothing = (reach: PacketReach): boolean => reachProtocols.every((each) => reach[each].length === 0)
export const isSameReach = (a: PacketReach, b: PacketReach): boolean =>
  a === b || reachProtocols.every((each) => JSON.stringify(a[each]) === JSON.stringify(b[each]))

/** What passes by one of two ways. */
export const joinReach = (a: PacketReach, b: PacketReach): PacketReach => byProtocol((each) => joined(a[each], b[each]))

/** `tcp:80,8000-8100`, `icmp:8`, `icmpv6:128`, `other`: what passes, in the words of rules. */
export function reachWords(reach: PacketReach, family: 4 | 6 = 4): string[] {
  const icmp = family === 4 ? 'icmp' : 'icmpv6'
  if (isEverything(reach)) return ['any']
  return reachProtocols.flatMap((protocol) => {
    const spans = reach[protocol]
    if (spans.length === 0) return []
    if (isWhole(spans)) return [protocol === 'icmp' ? icmp : protocol]
    if (protocol === 'icmp') return spans.map((span) => `${icmp}:${icmpWord(span)}`)
    return [`${protocol}:${spans.map(({ first, last }) => formatRange({ first: Math.max(1, first), last })).join(',')}`]
  })
}

/** `8`, `8/0`, `0-3` */
function icmpWord({ first, last }: PortRange): string {
  const [from, to] = [Math.floor(first / 256), Math.floor(last / 256)]
  if (from !== to) return `${from}-${to}`
  return last - first === 255 ? String(from) : `${from}/${first % 256}`
}

const isWhole = ([span]: Spans): boolean => span !== undefined && span.first === 0 && span.last === 65_535

const byProtocol = (of: (protocol: ReachProtocol) => Spans): PacketReach => ({
  ...{ tcp: of('tcp'), udp: of('udp'), icmp: of('icmp'), other: of('other') },
})

function outboundReach(source: string, destination: string, world: PolicyWorld): PacketReach {
  const endpoint = world.endpoints.get(bookedAddress(world, source))
  if (endpoint === undefined || endpoint.profiles.length === 0) return everything
  return byRules(rulesBetween('outbound', endpoint.profiles, source, destination, world), icmpOf(source))
}

function inboundReach(source: string, destination: string, world: PolicyWorld): PacketReach {
  const endpoint = world.endpoints.get(bookedAddress(world, destination))
  const sender = world.nodes.get(bookedAddress(world, source))
  if (endpoint === undefined || endpoint.profiles.length === 0 || sender?.name === endpoint.node) return everything
  const reach = byRules(rulesBetween('inbound', endpoint.profiles, source, destination, world), icmpOf(source))
  return sender?.isGateway === true ? { ...reach, tcp: whole, udp: whole } : reach
}

/** Those about these two addresses, in order, whatever their ports. */
function rulesBetween(
  end: 'inbound' | 'outbound',
  profiles: readonly string[],
  source: string,
  destination: string,
  world: PolicyWorld,
): PolicyRule[] {
  return profiles
    .flatMap((name) => world.profiles.get(name)?.[end] ?? [])
    .filter((rule) => isPeerAddress(rule.source, source, world) && isPeerAddress(rule.destination, destination, world))
}

/** The first rule that matches decides: each takes its part of what is still undecided. */
const byRules = (rules: readonly PolicyRule[], icmp: 'icmp' | 'icmpv6'): PacketReach =>
  byProtocol((protocol) => {
    let [allowed, open] = [nothing, whole]
    for (const rule of rules) {
      if (open.length === 0) break
      const spans = spansOf(rule, protocol === 'icmp' ? icmp : protocol)
      if (spans.length === 0) continue
      if (rule.action === 'allow') allowed = joined(allowed, common(open, spans))
      open = without(open, spans)
    }
    return allowed
  })

const icmpOf = (address: string): 'icmp' | 'icmpv6' => (address.includes(':') ? 'icmpv6' : 'icmp')

function spansOf(rule: PolicyRule, protocol: ReachProtocol | 'icmpv6'): Spans {
  const { source, destination, icmpType, icmpCode } = rule
  if (rule.protocol !== undefined && rule.protocol !== protocol) return nothing
  if (source.ports !== undefined && !hasPort(source.ports, usualSourcePort)) return nothing
  if (rule.protocol === undefined || icmpType === undefined) return destination.ports ?? whole
  const first = icmpType * 256 + (icmpCode ?? 0)
  return [{ first, last: icmpCode === undefined ? first + 255 : first }]
}

/** In both. */
function common(a: Spans, b: Spans): Spans {
  if (isWhole(a)) return b
  if (isWhole(b)) return a
  return a.flatMap((one) =>
    b.flatMap((other) => {
      const [first, last] = [Math.max(one.first, other.first), Math.min(one.last, other.last)]
      return first > last ? [] : [{ first, last }]
    }),
  )
}

/** In one of them. */
const joined = (a: Spans, b: Spans): Spans => joinRanges([...a, ...b])

/** In the first and not in the second. */
function without(spans: Spans, gone: Spans): Spans {
  return gone.reduce<Spans>(
    (left, { first, last }) =>
      left.flatMap((span) => [
        ...(span.first < first ? [{ first: span.first, last: Math.min(span.last, first - 1) }] : []),
        ...(span.last > last ? [{ first: Math.max(span.first, last + 1), last: span.last }] : []),
      ]),
    spans,
  )
}
