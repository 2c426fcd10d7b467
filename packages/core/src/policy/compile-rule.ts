import { familiesOf } from './check-rule.ts'
import { droppedChainOf } from './drop-log.ts'
import { formatNet } from './policy-net.ts'
import type { PolicyPeer, PolicyProtocol, PolicyRule, PortRange } from './profile.ts'
import { formatRange } from './read-ports.ts'
import { dropMark, formatMark } from './rule-counter.ts'

/** Of IP. */
export type Family = 4 | 6

/** Names of IPv6's chains and sets are told from those of IPv4 by this. */
export const familyMark = (family: Family): string => (family === 4 ? '' : '6')

export const tagSet = (tag: string, family: Family = 4): string => `tag${familyMark(family)}/${tag}`

/** The version that it is told apart from others by; one that holds for both is known by what it says of IPv4. */
export const mainFamily = (rule: PolicyRule): Family => (familiesOf(rule).includes(6) ? 6 : 4)

/** Whether a packet of that version may match. */
export const isForFamily = (rule: PolicyRule, family: Family): boolean =>
  familiesOf(rule).every((each) => each === family)

/** What a rule asks of a packet, in nftables' words; empty: nothing. */
export function matchText(rule: PolicyRule, family: Family = mainFamily(rule)): string {
  const { protocol, source, destination, icmpType, icmpCode } = rule
  const icmp = family === 4 ? 'icmp' : 'icmpv6'
  return [
    ...(protocol === undefined ? [] : [`meta l4proto ${protocolWord(protocol)}`]),
    ...peerTexts(family, 'saddr', 'sport', source),
    ...peerTexts(family, 'daddr', 'dport', destination),
    ...(icmpType === undefined ? [] : [`${icmp} type ${icmpType}`]),
    ...(icmpCode === undefined ? [] : [`${icmp} code ${icmpCode}`]),
  ].join(' ')
}

/** What has other names in other places has one number. */
const protocolWord = (protocol: PolicyProtocol): string => (protocol === 'icmpv6' ? '58' : protocol)

/** Counts it, and lets it go on. */
export const acceptText = (counter: string): string => `counter name "${counter}" accept`

/** Counts it, and has it noted and dropped. The mark is seen by nobody else: the packet is gone. */
export const dropText = (counter: string, family: Family = 4): string =>
  `counter name "${counter}" meta mark set ${formatMark(dropMark(counter))} goto ${droppedChainOf(family)}`

function peerTexts(family: Family, address: string, port: string, { tag, net, ports }: PolicyPeer): string[] {
  const ip = `ip${familyMark(family)}`
  return [
    ...(tag === undefined ? [] : [`${ip} ${address} @${tagSet(tag, family)}`]),
    ...(net === undefined || isAny(net) ? [] : [`${ip} ${address} ${formatNet(net)}`]),
    ...(ports === undefined ? [] : [`th ${port} ${portsText(ports)}`]),
  ]
}

const isAny = (net: PolicyPeer['net']): boolean => net?.block.prefix === 0

function portsText(ports: readonly PortRange[]): string {
  const texts = ports.map((range) => formatRange(range))
  return texts.length === 1 ? (texts[0] ?? '') : `{ ${texts.join(', ')} }`
}
