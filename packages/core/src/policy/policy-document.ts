import { type TwinPool, twinPool, twinRange } from '../network/twin-address.ts'
import { type AddressChange, type AddressSet, addressSet, changeAddresses, noAddresses } from './address-set.ts'
import { type AddressSet6, addressSet6, textsOf6 } from './address-set6.ts'
import type { ProfileDocument } from './format-profile.ts'
import type { NodePolicy, NodePolicy6 } from './policy-world.ts'
import { type Profile, profilesInForce } from './profile.ts'
import { readProfile } from './read-profile.ts'

/** What a node is told: the profiles that its instances may need, and who bears the tags that these mention. */
export interface PolicyDocument {
  readonly profiles: readonly ProfileDocument[]
  /** Addresses by tag. */
  readonly members: Readonly<Record<string, readonly string[]>>
  /** Addresses of gateways. */
  readonly gateways: readonly string[]
  /** Absent: no pool has addresses of IPv6. */
  readonly ipv6?: PolicyDocument6
}

export interface PolicyDocument6 {
  /** Members and gateways with an address of one of these bear the tag by its twin too. */
  readonly pools: readonly TwinPool[]
  /** Addresses that are no twins, by tag. */
  readonly members: Readonly<Record<string, readonly string[]>>
}

/** By tag; only changes since what was told before. */
export type MemberChanges = Readonly<
  Record<string, { readonly put: readonly string[]; readonly gone: readonly string[] }>
>

export const noPolicy: PolicyDocument = { profiles: [], members: {}, gateways: [] }

/** One after the other, as one: the later word about an address counts. */
export function joinMemberChanges(first: MemberChanges, second: MemberChanges): MemberChanges {
  const joined: Record<string, MemberChanges[string]> = { ...first }
  for (const [tag, { put, gone }] of Object.entries(second)) {
    const before = first[tag] ?? { put: [], gone: [] }
    const changed = new Set([...put, ...gone])
    const kept = (addresses: readonly string[]): string[] => addresses.filter((address) => !changed.has(address))
    joined[tag] = { put: [...kept(before.put), ...put], gone: [...kept(before.gone), ...gone] }
  }
  return joined
}

export type KnownPolicy = Pick<NodePolicy, 'profiles' | 'members' | 'gateways' | 'ipv6'>

/** A profile that cannot be read is left out: instances that have it are closed. */
export function readPolicy({ profiles, members, gateways, ipv6 }: PolicyDocument): KnownPolicy {
  const read = profiles.flatMap((document) => readProfile(document).profile ?? [])
  return {
    profiles: new Map(read.map((profile): [string, Profile] => [profile.name, profile])),
    members: new Map(
      Object.entries(members).map(([tag, addresses]): [string, AddressSet] => [tag, addressSet(addresses)]),
    ),
    gateways: addressSet(gateways),
    ...(ipv6 === undefined ? {} : { ipv6: readPolicy6(ipv6) }),
  }
}

const readPolicy6 = ({ pools, members }: PolicyDocument6): NodePolicy6 => ({
  twins: pools.map(twinRange),
  members: new Map(Object.entries(members).map(([tag, all]): [string, AddressSet6] => [tag, addressSet6(all)])),
})

export function changeMembers(policy: KnownPolicy, changes: MemberChanges): KnownPolicy {
  const members = new Map(policy.members)
  for (const [tag, { put, gone }] of Object.entries(changes)) {
    const change: AddressChange = { added: [...addressSet(put)], removed: [...addressSet(gone)] }
    members.set(tag, changeAddresses(members.get(tag) ?? noAddresses, change))
  }
  return { ...policy, members }
}

/** What was read, as it was told. */
export const policyDocument6 = ({ twins, members }: NodePolicy6): PolicyDocument6 => ({
  pools: twins.map(twinPool),
  members: Object.fromEntries([...members].map(([tag, all]) => [tag, textsOf6(all)])),
})

/** Of the instances that run there: those in force on each. */
export function policyOfInstances(
  policy: KnownPolicy,
  instances: Iterable<{ readonly address: string; readonly profiles?: readonly string[] }>,
): NodePolicy {
  const endpoints = new Map<string, readonly string[]>()
  for (const { address, profiles = [] } of instances) {
    const inForce = profilesInForce(profiles, (name) => policy.profiles.has(name))
    if (inForce.length > 0) endpoints.set(address, inForce)
  }
  return { ...policy, endpoints }
}
