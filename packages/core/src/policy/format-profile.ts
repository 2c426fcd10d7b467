import { formatNet } from './policy-net.ts'
import type { PolicyPeer, PolicyRule, PortRange, Profile } from './profile.ts'
import { formatRange } from './read-ports.ts'

/** Calico's fields. */
export interface RuleDocument {
  readonly action: 'allow' | 'deny'
  readonly protocol?: string
  readonly src_tag?: string
  readonly src_net?: string
  readonly src_ports?: readonly (number | string)[]
  readonly dst_tag?: string
  readonly dst_net?: string
  readonly dst_ports?: readonly (number | string)[]
  readonly icmp_type?: number
  readonly icmp_code?: number
}

export interface ProfileDocument {
  readonly id: string
  readonly tags: readonly string[]
  readonly inbound_rules: readonly RuleDocument[]
  readonly outbound_rules: readonly RuleDocument[]
}

/** As Calico wrote them; read again it is the same profile. */
export function profileDocument({ name, tags, inbound, outbound }: Profile): ProfileDocument {
  return { id: name, tags, inbound_rules: inbound.map(ruleDocument), outbound_rules: outbound.map(ruleDocument) }
}

export function ruleDocument({ action, protocol, source, destination, icmpType, icmpCode }: PolicyRule): RuleDocument {
  return {
    action,
    ...(protocol === undefined ? {} : { protocol }),
    ...(source.tag === undefined ? {} : { src_tag: source.tag }),
    ...(source.net === undefined ? {} : { src_net: formatNet(source.net) }),
    ...(source.ports === undefined ? {} : { src_ports: source.ports.map(portsDocument) }),
    ...(destination.tag === undefined ? {} : { dst_tag: destination.tag }),
    ...(destination.net === undefined ? {} : { dst_net: formatNet(destination.net) }),
    ...(destination.ports === undefined ? {} : { dst_ports: destination.ports.map(portsDocument) }),
    ...(icmpType === undefined ? {} : { icmp_type: icmpType }),
    ...(icmpCode === undefined ? {} : { icmp_code: icmpCode }),
  }
}

const portsDocument = (range: PortRange): number | string =>
  range.first === range.last ? range.first : formatRange(range, ':')

/** `deny tcp:25 to 10.0.0.0/8`; what has no short form (source ports, a tag and a network of one side) is written with Calico's fields. */
export function formatRule(rule: PolicyRule): string {
  const { action, source, destination } = rule
  if (source.ports !== undefined || !isOne(source) || !isOne(destination)) return JSON.stringify(ruleDocument(rule))
  const what = [whatWord(rule), ...peerWords('from', source), ...peerWords('to', destination)].filter(
    (word) => word !== '',
  )
  return [...(action === 'deny' || what.length === 0 ? [action] : []), ...what].join(' ')
}

const isOne = ({ tag, net }: PolicyPeer): boolean => tag === undefined || net === undefined

function whatWord({ protocol, destination: { ports }, icmpType, icmpCode }: PolicyRule): string {
  if (protocol === undefined) return ''
  if (ports !== undefined) return `${protocol}:${ports.map((range) => formatRange(range)).join(',')}`
  if (icmpType === undefined) return protocol
  return `${protocol}:${icmpType}${icmpCode === undefined ? '' : `/${icmpCode}`}`
}

function peerWords(side: 'from' | 'to', { tag, net }: PolicyPeer): string[] {
  const name = tag ?? (net === undefined ? undefined : formatNet(net))
  return name === undefined ? [] : [`${side} ${name}`]
}
