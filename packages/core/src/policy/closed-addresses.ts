import { nodeDnsAddress } from '../network/node-dns-address.ts'
import { neighbourTypes } from './decide-packet.ts'

/** Containers that wait for the rules of the profiles that they name. */
export const closedTable = 'inet berth-closed'

/**
 * The whole table, as one transaction; without addresses, its removal. Nothing passes from and to these but what passes whatever an
 * instance's rules are: questions for names, what the node itself sends there with the answers, and the neighbours of IPv6. Unlike rules it
 * knows no gateways: who waits is in no traffic.
 */
export function renderClosed(addresses: readonly string[], addresses6: readonly string[]): string {
  const fresh = `add table ${closedTable}\ndelete table ${closedTable}\n`
  if (addresses.length === 0) return fresh
  const ends = [['ip', '@closed'], ...(addresses6.length === 0 ? [] : [['ip6', '@closed6']])] as const
  const from = ends.map(([version, set]) => `    ${version} saddr ${set} drop\n`).join('')
  const to = ends.map(([version, set]) => `    ${version} daddr ${set} drop\n`).join('')
  const set6 =
    addresses6.length === 0
      ? ''
      : `  set closed6 {\n    type ipv6_addr\n    elements = { ${[...addresses6].sort().join(', ')} }\n  }\n`
  return `${fresh}table ${closedTable} {
  set closed {
    type ipv4_addr
    elements = { ${[...addresses].sort().join(', ')} }
  }
${set6}  chain forward {
    type filter hook forward priority -30; policy accept;
${from}${to}  }
  chain input {
    type filter hook input priority -30; policy accept;
    ct state established,related accept
    meta l4proto 58 icmpv6 type { ${neighbourTypes.join(', ')} } accept
    ip daddr ${nodeDnsAddress} meta l4proto { tcp, udp } th dport 53 accept
${from}  }
}
`
}
