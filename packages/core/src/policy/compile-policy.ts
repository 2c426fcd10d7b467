import { parseAddress } from '../network/address-block.ts'
import { nodeDnsAddress } from '../network/node-dns-address.ts'
import { type AddressSet, noAddresses } from './address-set.ts'
import { familiesOf } from './check-rule.ts'
import { acceptText, dropText, matchText, tagSet } from './compile-rule.ts'
import { droppedChain, droppedChainName } from './drop-log.ts'
import type { PolicyChain, PolicyTable } from './policy-table.ts'
import type { NodePolicy } from './policy-world.ts'
import { mentionedTags, type PolicyRule, type Profile } from './profile.ts'
import { type CountedRule, noRuleCounterName, ruleCounterName } from './rule-counter.ts'

/** A node's policy as one table of nftables. A profile that does not exist adds no rule: what is behind it is the drop. */
export function compilePolicy({ profiles, endpoints, members, gateways }: NodePolicy): PolicyTable {
  const { tags, maps, chains, counters } = skeletonOf(profiles, endpoints)
  const sets = new Map<string, AddressSet>([['gateways', gateways]])
  for (const tag of tags) sets.set(tagSet(tag), members.get(tag) ?? noAddresses)
  return { sets, maps, chains, counters }
}

/** All but the sets. */
interface Skeleton extends Pick<PolicyTable, 'maps' | 'chains' | 'counters'> {
  readonly tags: ReadonlySet<string>
}

const skeletons = new WeakMap<NodePolicy['profiles'], WeakMap<NodePolicy['endpoints'], Skeleton>>()

/** Members change often, and nothing else with them. */
function skeletonOf(profiles: NodePolicy['profiles'], endpoints: NodePolicy['endpoints']): Skeleton {
  const byEndpoints = skeletons.get(profiles) ?? new WeakMap<NodePolicy['endpoints'], Skeleton>()
  const found = byEndpoints.get(endpoints)
  if (found !== undefined) return found
  const made = makeSkeleton(profiles, endpoints)
  skeletons.set(profiles, byEndpoints.set(endpoints, made))
  return made
}

function makeSkeleton(profiles: NodePolicy['profiles'], endpoints: NodePolicy['endpoints']): Skeleton {
  const chains = new Map<string, PolicyChain>([[droppedChainName, droppedChain]])
  const counters = new Map<string, CountedRule>()
  const tags = new Set<string>()
  for (const name of [...profiles.keys()].sort()) {
    const profile = profiles.get(name)
    if (profile === undefined) continue
    const { inbound, outbound, tags: mentioned, counters: counted } = compiled(profile)
    chains.set(`profile-out/${name}`, outbound).set(`profile-in/${name}`, inbound)
    for (const tag of mentioned) tags.add(tag)
    for (const [counter, rule] of counted) counters.set(counter, rule)
  }
  const maps = addStacks({ chains, counters }, profiles, endpoints)
  for (const [name, chain] of baseChains) chains.set(name, chain)
  return { tags, maps, chains, counters }
}

/** One chain a direction for each list of profiles in use, and the maps that lead to them. */
function addStacks(
  { chains, counters }: { readonly chains: Map<string, PolicyChain>; readonly counters: Map<string, CountedRule> },
  profiles: NodePolicy['profiles'],
  endpoints: NodePolicy['endpoints'],
): PolicyTable['maps'] {
  const from = new Map<number, string>()
  const to = new Map<number, string>()
  const stacks = new Map<string, readonly string[]>()
  const byAddress = [...endpoints].map(([text, names]) => [parseAddress(text), names] as const).sort(byNumber)
  for (const [address, names] of byAddress) {
    const stack = names.join('/')
    stacks.set(stack, names)
    from.set(address, `outbound/${stack}`)
    to.set(address, `inbound/${stack}`)
  }
  for (const stack of [...stacks.keys()].sort()) {
    const names = stacks.get(stack) ?? []
    const jumps = names.filter((name) => profiles.has(name))
    for (const end of ['out', 'in'] as const) {
      const counter = noRuleCounterName(end, names)
      counters.set(counter, { kind: 'no-rule', end, profiles: names })
      chains.set(`${end}bound/${stack}`, stackChain(end, jumps, counter))
    }
  }
  return new Map([
    ['from', from],
    ['to', to],
  ])
}

const byNumber = ([a]: readonly [number, unknown], [b]: readonly [number, unknown]): number => a - b

const stackChain = (end: 'in' | 'out', profiles: readonly string[], counter: string): PolicyChain => ({
  rules: [...profiles.map((name) => `jump profile-${end}/${name}`), `${dropText(counter)} comment "no rule"`],
})

const hook = (name: string, priority: number): string => `type filter hook ${name} priority ${priority}; policy accept;`
const standing = 'ct state established,related accept'

/** The later priority is asked also when the earlier one has accepted. */
const baseChains: readonly (readonly [string, PolicyChain])[] = [
  ['forward-outbound', { hook: hook('forward', -20), rules: [standing, 'ip saddr vmap @from'] }],
  [
    'forward-inbound',
    {
      hook: hook('forward', -10),
      rules: [standing, 'meta l4proto tcp ip saddr @gateways accept', 'ip daddr vmap @to'],
    },
  ],
  [
    'input-outbound',
    {
      hook: hook('input', -20),
      rules: [
        standing,
        `ip daddr ${nodeDnsAddress} meta l4proto { tcp, udp } th dport 53 accept`,
        'ip saddr vmap @from',
      ],
    },
  ],
]

interface CompiledProfile {
  readonly inbound: PolicyChain
  readonly outbound: PolicyChain
  readonly tags: readonly string[]
  readonly counters: ReadonlyMap<string, CountedRule>
}

const known = new WeakMap<Profile, CompiledProfile>()

/** Profiles do not change: another version is another object. */
function compiled(profile: Profile): CompiledProfile {
  const found = known.get(profile)
  if (found !== undefined) return found
  const counters = new Map<string, CountedRule>()
  const made = {
    inbound: profileChain(profile.name, 'in', profile.inbound, counters),
    outbound: profileChain(profile.name, 'out', profile.outbound, counters),
    tags: [...mentionedTags(profile)].sort(),
    counters,
  }
  known.set(profile, made)
  return made
}

/** What rules about version 6 alone say matches nothing yet. */
function profileChain(
  profile: string,
  end: 'in' | 'out',
  rules: readonly PolicyRule[],
  counters: Map<string, CountedRule>,
): PolicyChain {
  return {
    rules: rules.flatMap((rule, index) => {
      if (familiesOf(rule).includes(6)) return []
      const match = matchText(rule)
      const counter = ruleCounterName(profile, end, `${rule.action} ${match}`, counters)
      counters.set(counter, { kind: 'rule', end, profile, number: index + 1, rule })
      const verdict = rule.action === 'allow' ? acceptText(counter) : dropText(counter)
      return [`${match === '' ? '' : `${match} `}${verdict} comment "${profile} ${end} ${index + 1}"`]
    }),
  }
}
