import type { PolicyChain } from './policy-table.ts'

/** What is dropped is noted in two sets of the table for each version of IP, by who sent it to whom, and by the rule that did. */
const dropSets = [
  { family: 4, withPort: 'dropped-ports', withoutPort: 'dropped-others' },
  { family: 6, withPort: 'dropped-ports6', withoutPort: 'dropped-others6' },
] as const

/** More different ones are not noted, only counted by their rules. */
export const maxNotedDrops = 4096
/** So long after the last packet. */
export const dropsKeptMs = 600_000

const bounds = `flags dynamic,timeout; size ${maxNotedDrops}; timeout ${dropsKeptMs / 60_000}m;`
const keyOf = (family: 4 | 6): string => `ipv${family}_addr . ipv${family}_addr . inet_proto`

/** By name, what stands between the braces. */
export const dropSetDefinitions: readonly (readonly [name: string, definition: string])[] = dropSets.flatMap(
  ({ family, withPort, withoutPort }) => [
    [withPort, `type ${keyOf(family)} . inet_service . mark; ${bounds}`] as const,
    [withoutPort, `type ${keyOf(family)} . mark; ${bounds}`] as const,
  ],
)

export const droppedChainOf = (family: 4 | 6): string => (family === 4 ? 'dropped' : 'dropped6')

/** A set that is full takes nothing, and the next rule is asked. */
const chainOf = ({ family, withPort, withoutPort }: (typeof dropSets)[number]): PolicyChain => {
  const ip = family === 4 ? 'ip' : 'ip6'
  const ends = `${ip} saddr . ${ip} daddr . meta l4proto`
  return {
    rules: [
      `meta l4proto { tcp, udp } update @${withPort} { ${ends} . th dport . meta mark counter }`,
      `meta l4proto != { tcp, udp } update @${withoutPort} { ${ends} . meta mark counter }`,
      'drop',
    ],
  }
}

/** The chains where every drop goes. */
export const droppedChains: Readonly<Record<4 | 6, PolicyChain>> = { 4: chainOf(dropSets[0]), 6: chainOf(dropSets[1]) }
