import { gatewayOf } from '../network/address-block.ts'
import { type AddressSet, addressSet, noAddresses } from './address-set.ts'
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
  /** By address. */
  readonly endpoints: ReadonlyMap<string, PolicyEndpoint>
  /** Tags that external services bear, by address. Absent: there are none. */
  readonly externals?: ReadonlyMap<string, readonly string[]>
  /** Addresses that nodes themselves send from, by address. */
  readonly nodes: ReadonlyMap<string, PolicyNode>
}

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
  return { profiles, endpoints, members: membersOf(world, profiles), gateways: addressSet(gateways) }
}

function membersOf(world: PolicyWorld, profiles: ReadonlyMap<string, Profile>): Map<string, AddressSet> {
  const members = new Map<string, string[]>()
  for (const profile of profiles.values()) for (const tag of mentionedTags(profile)) members.set(tag, [])
  if (members.size === 0) return new Map()
  for (const [address, endpoint] of world.endpoints)
    for (const tag of tagsOf(endpoint, world.profiles)) members.get(tag)?.push(address)
  for (const [address, tags] of world.externals ?? []) for (const tag of tags) members.get(tag)?.push(address)
  return new Map(
    [...members].map(([tag, addresses]) => [tag, addresses.length === 0 ? noAddresses : addressSet(addresses)]),
  )
}
