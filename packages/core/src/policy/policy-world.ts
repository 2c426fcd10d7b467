import { gatewayOf } from '../network/address-block.ts'
import { familyOf } from '../network/address6.ts'
import { type TwinRange, twinned } from '../network/twin-address.ts'
import { type AddressSet, addressSet, noAddresses } from './address-set.ts'
import { type AddressSet6, addressSet6 } from './address-set6.ts'
import { mentionedTags, type Profile } from './profile.ts'

/** Somebody with an address to whom rules apply: an instance. */
export interface PolicyEndpoint {
  readonly node: string
  /** Those in force, in order; empty: no rules. */
  readonly profiles: readonly string[]
}

/** All that decides about packets between instances, in the whole cluster. */
export interface PolicyWorld {
  readonly profiles: ReadonlyMap<string, Profile>
  /** By address of IPv4. */
  readonly endpoints: ReadonlyMap<string, PolicyEndpoint>
  /** Tags that external services bear, by address. Absent: there are none. */
  readonly externals?: ReadonlyMap<string, readonly string[]>
  /** Addresses of IPv4 that nodes themselves send from, by address. */
  readonly nodes: ReadonlyMap<string, PolicyNode>
  /** Pools whose addresses have twins of IPv6. Absent: there are none. */
  readonly twins?: readonly TwinRange[]
}

/** The address of IPv4 of whoever has this one, where that is a twin; else itself. */
export const bookedAddress = ({ twins }: Pick<PolicyWorld, 'twins'>, address: string): string =>
  twins === undefined ? address : (twinned(twins, address) ?? address)

export interface PolicyNode {
  readonly name: string
  readonly isGateway: boolean
}

/** What one node has to know. */
export interface NodePolicy {
  /** Of those that its instances name, the ones that exist. */
  readonly profiles: ReadonlyMap<string, Profile>
  /** Its instances with profiles: those in force, in order, by address. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>
  /** Who bears the tags that these profiles mention. */
  readonly members: ReadonlyMap<string, AddressSet>
  readonly gateways: AddressSet
  /** Absent: nobody has an address of IPv6, and no rule is made for it. */
  readonly ipv6?: NodePolicy6
}

/** What there is beside the twins of all others. */
export interface NodePolicy6 {
  readonly twins: readonly TwinRange[]
  /** Who bears these tags by an address that is no twin. */
  readonly members: ReadonlyMap<string, AddressSet6>
}

/** Addresses that packets of a node itself may bear. */
export const nodeAddresses = (address: string, block: Parameters<typeof gatewayOf>[0]): readonly string[] => [
  address,
  gatewayOf(block),
]

export function tagsOf(endpoint: PolicyEndpoint, profiles: ReadonlyMap<string, Profile>): Set<string> {
  return new Set(endpoint.profiles.flatMap((name) => profiles.get(name)?.tags ?? []))
}

/** The part of the world that one node needs. */
export function nodePolicyOf(world: PolicyWorld, node: string): NodePolicy {
  const endpoints = new Map<string, readonly string[]>()
  const profiles = new Map<string, Profile>()
  for (const [address, endpoint] of world.endpoints) {
    if (endpoint.node !== node || endpoint.profiles.length === 0) continue
    endpoints.set(address, endpoint.profiles)
    for (const name of endpoint.profiles) {
      const profile = world.profiles.get(name)
      if (profile !== undefined) profiles.set(name, profile)
    }
  }
  const gateways = [...world.nodes].flatMap(([address, { isGateway }]) => (isGateway ? [address] : []))
  const ipv6 =
    world.twins === undefined ? {} : { ipv6: { twins: world.twins, members: otherMembersOf(world, profiles) } }
  return { profiles, endpoints, members: membersOf(world, profiles), gateways: addressSet(gateways), ...ipv6 }
}

/** External services at addresses of IPv6. */
function otherMembersOf(
  { externals = new Map<string, readonly string[]>() }: PolicyWorld,
  profiles: ReadonlyMap<string, Profile>,
): Map<string, AddressSet6> {
  const mentioned = new Set([...profiles.values()].flatMap((profile) => [...mentionedTags(profile)]))
  const others = [...externals].filter(([address]) => familyOf(address) === 6)
  return new Map(
    [...mentioned].flatMap((tag) => {
      const addresses = others.flatMap(([address, tags]) => (tags.includes(tag) ? [address] : []))
      return addresses.length === 0 ? [] : [[tag, addressSet6(addresses)] as const]
    }),
  )
}

function membersOf(world: PolicyWorld, profiles: ReadonlyMap<string, Profile>): Map<string, AddressSet> {
  const members = new Map<string, string[]>()
  for (const profile of profiles.values()) for (const tag of mentionedTags(profile)) members.set(tag, [])
  if (members.size === 0) return new Map()
  for (const [address, endpoint] of world.endpoints)
    for (const tag of tagsOf(endpoint, world.profiles)) members.get(tag)?.push(address)
  for (const [address, tags] of world.externals ?? [])
    if (familyOf(address) === 4) for (const tag of tags) members.get(tag)?.push(address)
  return new Map(
    [...members].map(([tag, addresses]) => [tag, addresses.length === 0 ? noAddresses : addressSet(addresses)]),
  )
}
