import { hasPortRouteMark } from '../network/gateway-mark.ts'
import { nodeDnsAddress } from '../network/node-dns-address.ts'
import { type Family, familyMark } from './compile-rule.ts'
import { neighbourTypes } from './decide-packet.ts'
import type { PolicyChain } from './policy-table.ts'

const hook = (name: string, priority: number): string => `type filter hook ${name} priority ${priority}; policy accept;`
const standing = 'ct state established,related accept'
/** The numbers are the same in every version of nft. */
const neighbours = `meta l4proto 58 icmpv6 type { ${neighbourTypes.join(', ')} } accept`
const askedByGateways = (family: Family): string =>
  `meta l4proto { tcp, udp } ip${familyMark(family)} saddr @${gatewaySet(family)} accept`
/** Of a gateway's routes of ports, where it is a gateway of this node: whoever asks, the gateway does. */
const askedByPort = `${hasPortRouteMark} accept`
const look = (end: 'saddr' | 'daddr', map: 'from' | 'to', family: Family): string =>
  `ip${familyMark(family)} ${end} vmap @${map}${familyMark(family)}`

export const gatewaySet = (family: Family): string => `gateways${familyMark(family)}`

/** Where packets come in. The later priority is asked also when the earlier one has accepted. */
export function baseChains(families: readonly Family[]): readonly (readonly [string, PolicyChain])[] {
  const first = families.includes(6) ? [standing, neighbours] : [standing]
  const senders = families.map((family) => look('saddr', 'from', family))
  const receivers = families.map((family) => look('daddr', 'to', family))
  const resolver = `ip daddr ${nodeDnsAddress} meta l4proto { tcp, udp } th dport 53 accept`
  return [
    ['forward-outbound', { hook: hook('forward', -20), rules: [...first, ...senders] }],
    [
      'forward-inbound',
      { hook: hook('forward', -10), rules: [...first, askedByPort, ...families.map(askedByGateways), ...receivers] },
    ],
    ['input-outbound', { hook: hook('input', -20), rules: [...first, resolver, ...senders] }],
  ]
}
