import { parseAddress } from '../network/address-block.ts'
import { nodeDnsAddress } from '../network/node-dns-address.ts'
import { type AddressSet, noAddresses } from './address-set.ts'
import { familiesOf } from './check-rule.ts'
import { formatNet } from './policy-net.ts'
import type { PolicyChain, PolicyTable } from './policy-table.ts'
import type { NodePolicy } from './policy-world.ts'
import { mentionedTags, type PolicyPeer, type PolicyRule, type PortRange, type Profile } from './profile.ts'
import { formatRange } from './read-ports.ts'

/** A node's policy as one table of nftables. A profile that does not exist adds no rule: what is behind it is the drop. */
export function compilePolicy({ profiles, endpoints, members, gateways }: NodePolicy): PolicyTable {
  const { tags, maps, chains } = skeletonOf(profiles, endpoints)
  const sets = new Map<string, AddressSet>([['gateways', gateways]])
  for (const tag of tags) sets.set(tagSet(tag), members.get(tag) ?? noAddresses)
  return { sets, maps, chains }
}

/** All but the sets. */
interface Skeleton extends Pick<PolicyTable, 'maps' | 'chains'> {
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
  const chains = new Map<string, PolicyChain>()
  const tags = new Set<string>()
  for (const name of [...profiles.keys()].sort()) {
    const profile = profiles.get(name)
    if (profile === undefined) continue
    const { inbound, outbound, tags: mentioned } = compiled(profile)
    chains.set(`profile-out/${name}`, outbound).set(`profile-in/${name}`, inbound)
    for (const tag of mentioned) tags.add(tag)
  }
  const maps = addStacks(chains, profiles, endpoints)
  for (const [name, chain] of baseChains) chains.set(name, chain)
  return { tags, maps, chains }
}

/** One chain a direction for each list of profiles in use, and the maps that lead to them. */
function addStacks(
  chains: Map<string, PolicyChain>,
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
    const names = (stacks.get(stack) ?? []).filter((name) => profiles.has(name))
    chains.set(`outbound/${stack}`, stackChain('out', names)).set(`inbound/${stack}`, stackChain('in', names))
  }
  return new Map([
    ['from', from],
    ['to', to],
  ])
}

const byNumber = ([a]: readonly [number, unknown], [b]: readonly [number, unknown]): number => a - b
const tagSet = (tag: string): string => `tag/${tag}`

const stackChain = (end: 'in' | 'out', profiles: readonly string[]): PolicyChain => ({
  rules: [...profiles.map((name) => `jump profile-${end}/${name}`), 'counter drop comment "no rule"'],
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
}

const known = new WeakMap<Profile, CompiledProfile>()

/** Profiles do not change: another version is another object. */
function compiled(profile: Profile): CompiledProfile {
  const found = known.get(profile)
  if (found !== undefined) return found
  const made = {
    inbound: profileChain(profile.name, 'in', profile.inbound),
    outbound: profileChain(profile.name, 'out', profile.outbound),
    tags: [...mentionedTags(profile)].sort(),
  }
  known.set(profile, made)
  return made
}

const profileChain = (profile: string, end: 'in' | 'out', rules: readonly PolicyRule[]): PolicyChain => ({
  rules: rules.flatMap((rule, index) =>
    familiesOf(rule).includes(6) ? [] : [`${ruleText(rule)} comment "${profile} ${end} ${index + 1}"`],
  ),
})

function ruleText({ action, protocol, source, destination, icmpType, icmpCode }: PolicyRule): string {
  return [
    ...(protocol === undefined ? [] : [`meta l4proto ${protocol}`]),
    ...peerTexts('saddr', 'sport', source),
    ...peerTexts('daddr', 'dport', destination),
    ...(icmpType === undefined ? [] : [`icmp type ${icmpType}`]),
    ...(icmpCode === undefined ? [] : [`icmp code ${icmpCode}`]),
    'counter',
    action === 'allow' ? 'accept' : 'drop',
  ].join(' ')
}

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
