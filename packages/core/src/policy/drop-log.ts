import type { PolicyChain } from './policy-table.ts'

/** What is dropped is noted in two sets of the table, by who sent it to whom, and by the rule that did. */
export const dropSets = { withPort: 'dropped-ports', withoutPort: 'dropped-others' } as const

/** More different ones are not noted, only counted by their rules. */
export const maxNotedDrops = 4096
/** So long after the last packet. */
export const dropsKeptMs = 600_000

const key = 'ipv4_addr . ipv4_addr . inet_proto'
const bounds = `flags dynamic,timeout; size ${maxNotedDrops}; timeout ${dropsKeptMs / 60_000}m;`

/** By name, what stands between the braces. */
export const dropSetDefinitions: readonly (readonly [name: string, definition: string])[] = [
  [dropSets.withPort, `type ${key} . inet_service . mark; ${bounds}`],
  [dropSets.withoutPort, `type ${key} . mark; ${bounds}`],
]

export const droppedChainName = 'dropped'

const ends = 'ip saddr . ip daddr . meta l4proto'

/** A set that is full takes nothing, and the next rule is asked. */
export const droppedChain: PolicyChain = {
  rules: [
    `meta l4proto { tcp, udp } update @${dropSets.withPort} { ${ends} . th dport . meta mark counter }`,
    `meta l4proto != { tcp, udp } update @${dropSets.withoutPort} { ${ends} . meta mark counter }`,
    'drop',
  ],
}
