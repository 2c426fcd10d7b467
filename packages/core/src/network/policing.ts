import type { BandwidthLimits } from '../model/assignment.ts'

/** One whose limits hold by its address: before its veth is there, and where the kernel cannot hold packets back. */
export interface PolicedAddress {
  readonly address: string
  /** Its twin of IPv6, which may have as much again. Absent: it has none. */
  readonly address6?: string
  readonly limits: BandwidthLimits
}

export const policingTable = 'berth_bandwidth'

/** nftables sees packets between ports of a bridge in the one family, all others in the other. */
const families = ['bridge', 'inet'] as const

/** First hooks that a packet meets, and last ones. */
const priorities = { bridge: { from: 0, to: 0 }, inet: { from: -310, to: 310 } } as const

/**
 * A file for `nft -f`: in one transaction all of what is policed, or nothing where there is nothing. Bytes beyond a limit are dropped; the
 * kernel lets a second's worth pass at once. Equal input gives equal text.
 */
export function renderPolicing(addresses: readonly PolicedAddress[]): string {
  const sorted = [...addresses].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
  const lines: string[] = []
  for (const family of families) {
    lines.push(`table ${family} ${policingTable}`, `delete table ${family} ${policingTable}`)
    if (sorted.length > 0) lines.push(...renderTable(family, sorted))
  }
  return `${lines.join('\n')}\n`
}

function renderTable(family: (typeof families)[number], addresses: readonly PolicedAddress[]): string[] {
  const { from, to } = priorities[family]
  return [
    `table ${family} ${policingTable} {`,
    '  chain sent {',
    `    type filter hook prerouting priority ${from}; policy accept;`,
    ...addresses.flatMap((each) => rules('saddr', each, each.limits.outBitsPerSecond)),
    '  }',
    '  chain received {',
    `    type filter hook postrouting priority ${to}; policy accept;`,
    ...addresses.flatMap((each) => rules('daddr', each, each.limits.inBitsPerSecond)),
    '  }',
    '}',
  ]
}

function rules(
  field: 'saddr' | 'daddr',
  { address, address6 }: PolicedAddress,
  bitsPerSecond: number | undefined,
): string[] {
  if (bitsPerSecond === undefined) return []
  const bytes = Math.floor(bitsPerSecond / 8)
  const burst = Math.max(65_536, Math.ceil(bytes / 100))
  const limit = `limit rate over ${bytes} bytes/second burst ${burst} bytes drop`
  const first = `    ip ${field} ${address} ${limit}`
  return address6 === undefined ? [first] : [first, `    ip6 ${field} ${address6} ${limit}`]
}
