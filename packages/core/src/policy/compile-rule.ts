import { droppedChainName } from './drop-log.ts'
import { formatNet } from './policy-net.ts'
import type { PolicyPeer, PolicyRule, PortRange } from './profile.ts'
import { formatRange } from './read-ports.ts'
import { dropMark, formatMark } from './rule-counter.ts'

export const tagSet = (tag: string): string => `tag/${tag}`

/** What a rule asks of a packet, in nftables' words; empty: nothing. */
export function matchText({ protocol, source, destination, icmpType, icmpCode }: PolicyRule): string {
  return [
    ...(protocol === undefined ? [] : [`meta l4proto ${protocol}`]),
    ...peerTexts('saddr', 'sport', source),
    ...peerTexts('daddr', 'dport', destination),
    ...(icmpType === undefined ? [] : [`icmp type ${icmpType}`]),
    ...(icmpCode === undefined ? [] : [`icmp code ${icmpCode}`]),
  ].join(' ')
}

/** Counts it, and lets it go on. */
export const acceptText = (counter: string): string => `counter name "${counter}" accept`

/** Counts it, and has it noted and dropped. The mark is seen by nobody else: the packet is gone. */
export const dropText = (counter: string): string =>
  `counter name "${counter}" meta mark set ${formatMark(dropMark(counter))} goto ${droppedChainName}`

function peerTexts(address: string, port: string, { tag, net, ports }: PolicyPeer): string[] {
  return [
    ...(tag === undefined ? [] : [`ip ${address} @${tagSet(tag)}`]),
    ...(net === undefined || isAny(net) ? [] : [`ip ${address} ${formatNet(net)}`]),
    ...(ports === undefined ? [] : [`th ${port} ${portsText(ports)}`]),
  ]
}

const isAny = (net: PolicyPeer['net']): boolean => net?.family === 4 && net.block.prefix === 0

function portsText(ports: readonly PortRange[]): string {
  const texts = ports.map((range) => formatRange(range))
  return texts.length === 1 ? (texts[0] ?? '') : `{ ${texts.join(', ')} }`
}
