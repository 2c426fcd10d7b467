import { parseAddress } from '../network/address-block.ts'
import { twinOf } from '../network/twin-address.ts'
import { type AddressSet, noAddresses } from './address-set.ts'
import { type AddressSet6, joinSets6, noAddresses6, twinsOf } from './address-set6.ts'
import { baseChains, gatewaySet } from './base-chains.ts'
import { compiledProfile } from './compile-profile.ts'
import { dropText, type Family, familyMark, tagSet } from './compile-rule.ts'
import { droppedChainOf, droppedChains } from './drop-log.ts'
import type { PolicyChain, PolicyTable } from './policy-table.ts'
import type { NodePolicy } from './policy-world.ts'
import { type CountedRule, noRuleCounterName } from './rule-counter.ts'

/**
 * A node's policy as one table of nftables. A profile that does not exist adds no rule: what is behind it is the drop. IPv6 has chains, sets and
 * maps of its own, so that packets of IPv4 meet no more rules than without it.
 */
export function compilePolicy(policy: NodePolicy): PolicyTable {
  const { tags, ...skeleton } = skeletonOf(policy)
  const sets = new Map<string, AddressSet>([[gatewaySet(4), policy.gateways]])
  for (const tag of tags) sets.set(tagSet(tag), policy.members.get(tag) ?? noAddresses)
  return { sets, sets6: setsOf6(policy, tags), ...skeleton }
}

function setsOf6({ gateways, members, ipv6 }: NodePolicy, tags: ReadonlySet<string>): Map<string, AddressSet6> {
  if (ipv6 === undefined) return new Map()
  const sets = new Map<string, AddressSet6>([[gatewaySet(6), twinsOf(gateways, ipv6.twins)]])
  for (const tag of tags) {
    const twins = twinsOf(members.get(tag) ?? noAddresses, ipv6.twins)
    sets.set(tagSet(tag, 6), joinSets6(twins, ipv6.members.get(tag) ?? noAddresses6))
  }
  return sets
}

/** All but the sets. */
interface Skeleton extends Pick<PolicyTable, 'maps' | 'maps6' | 'chains' | 'counters'> {
  readonly tags: ReadonlySet<string>
}

type SkeletonParts = Pick<NodePolicy, 'profiles' | 'endpoints' | 'ipv6'>

const noTwins: object = {}
const skeletons = new WeakMap<object, WeakMap<NodePolicy['endpoints'], WeakMap<object, Skeleton>>>()

/** Members change often, and nothing else with them. */
function skeletonOf(policy: SkeletonParts): Skeleton {
  const { profiles, endpoints, ipv6 } = policy
  const byEndpoints = skeletons.get(profiles) ?? new WeakMap<NodePolicy['endpoints'], WeakMap<object, Skeleton>>()
  const byTwins = byEndpoints.get(endpoints) ?? new WeakMap<object, Skeleton>()
  const twins = ipv6?.twins ?? noTwins
  const found = byTwins.get(twins)
  if (found !== undefined) return found
  const made = makeSkeleton(policy)
  skeletons.set(profiles, byEndpoints.set(endpoints, byTwins.set(twins, made)))
  return made
}

function makeSkeleton(policy: SkeletonParts): Skeleton {
  const { profiles } = policy
  const families: readonly Family[] = policy.ipv6 === undefined ? [4] : [4, 6]
  const chains = new Map<string, PolicyChain>()
  const counters = new Map<string, CountedRule>()
  const tags = new Set<string>()
  for (const family of families) chains.set(droppedChainOf(family), droppedChains[family])
  for (const name of [...profiles.keys()].sort()) {
    const profile = profiles.get(name)
    if (profile === undefined) continue
    const compiled = compiledProfile(profile)
    for (const tag of compiled.tags) tags.add(tag)
    for (const family of families) {
      const { inbound, outbound, counters: counted } = compiled.families[family]
      chains.set(profileChain('out', name, family), outbound).set(profileChain('in', name, family), inbound)
      for (const [counter, rule] of counted) counters.set(counter, rule)
    }
  }
  addStacks({ chains, counters }, policy, families)
  const maps = mapsOf(policy)
  for (const [name, chain] of baseChains(families)) chains.set(name, chain)
  return { tags, ...maps, chains, counters }
}

type End = 'in' | 'out'

const profileChain = (end: End, profile: string, family: Family): string =>
  `profile${familyMark(family)}-${end}/${profile}`
const stackChain = (end: End, profiles: readonly string[], family: Family = 4): string =>
  `${end}bound${familyMark(family)}/${profiles.join('/')}`

/** One chain a direction and version for each list of profiles in use. */
function addStacks(
  { chains, counters }: { readonly chains: Map<string, PolicyChain>; readonly counters: Map<string, CountedRule> },
  { profiles, endpoints }: SkeletonParts,
  families: readonly Family[],
): void {
  const stacks = new Map([...endpoints.values()].map((names) => [names.join('/'), names] as const))
  for (const [, names] of [...stacks].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const known = names.filter((name) => profiles.has(name))
    for (const end of ['out', 'in'] as const) {
      const counter = noRuleCounterName(end, names)
      counters.set(counter, { kind: 'no-rule', end, profiles: names })
      for (const family of families) {
        const jumps = known.map((name) => `jump ${profileChain(end, name, family)}`)
        const rules = [...jumps, `${dropText(counter, family)} comment "no rule"`]
        chains.set(stackChain(end, names, family), { rules })
      }
    }
  }
}

/** They lead from addresses to those chains. */
function mapsOf({ endpoints, ipv6 }: SkeletonParts): Pick<PolicyTable, 'maps' | 'maps6'> {
  const ends = [...endpoints]
    .map(([text, names]) => ({ text, names, address: parseAddress(text) }))
    .sort((a, b) => a.address - b.address)
  const toChains = (end: End) => new Map(ends.map(({ address, names }) => [address, stackChain(end, names)]))
  const maps = new Map([
    ['from', toChains('out')],
    ['to', toChains('in')],
  ])
  if (ipv6 === undefined) return { maps, maps6: new Map() }
  const twins = ends.flatMap(({ text, names }) => {
    const twin = twinOf(ipv6.twins, text)
    return twin === undefined ? [] : [{ twin, names }]
  })
  const toChains6 = (end: End) => new Map(twins.map(({ twin, names }) => [twin, stackChain(end, names, 6)]))
  return {
    maps,
    maps6: new Map([
      ['from6', toChains6('out')],
      ['to6', toChains6('in')],
    ]),
  }
}
