import {
  nodeAddresses,
  type PolicyEndpoint,
  type PolicyNode,
  type PolicyWorld,
  type Profile,
  parseBlock,
  profilesInForce,
} from '@berth/core'
import { twinRangesOf } from '../addresses/twin-pools.ts'
import type { State } from '../records/index.ts'
import { allProfiles, byHandEnds } from './profile-of.ts'

/** Addresses that nodes themselves send from. */
export function policyNodes(state: State): Map<string, PolicyNode> {
  const nodes = new Map<string, PolicyNode>()
  for (const { name, address, block, labels } of state.nodes.values())
    for (const each of nodeAddresses(address, parseBlock(block)))
      nodes.set(each, { name, isGateway: labels.gateway === 'true' })
  return nodes
}

/** Several external services may stand at one address. */
export function externalTags(state: State): Map<string, string[]> {
  const tags = new Map<string, string[]>()
  for (const each of state.externals.values())
    for (const address of each.addresses) tags.set(address, [...(tags.get(address) ?? []), ...each.tags])
  return tags
}

/** Pools with IPv6, where there are any. */
export function worldTwins(state: State): Pick<PolicyWorld, 'twins'> {
  const twins = twinRangesOf(state)
  return twins.length === 0 ? {} : { twins }
}

/** Profiles as they would be: some others than there are, some gone (undefined). */
export type ProfileChanges = ReadonlyMap<string, Profile | undefined>

/** All that decides about packets between the instances that there are. */
export function policyWorld(state: State, changes: ProfileChanges = new Map()): PolicyWorld {
  const profiles = new Map(allProfiles(state).map((profile) => [profile.name, profile]))
  const known = new Set(state.profiles.ids())
  for (const [name, profile] of changes) {
    if (profile === undefined) profiles.delete(name)
    else profiles.set(name, profile)
    if (profile === undefined) known.delete(name)
    else known.add(name)
  }
  const endpoints = new Map<string, PolicyEndpoint>()
  const inForce = (named: readonly string[]): readonly string[] => profilesInForce(named, (name) => known.has(name))
  for (const node of state.nodes.values())
    for (const [address, { profiles: named }] of byHandEnds(state, node, (name) => known.has(name)))
      endpoints.set(address, { node: node.name, profiles: named })
  const taken = new Set<string>()
  for (const { address, network, node = '', app, release, entrypoint, desired } of state.instances.values()) {
    if (address === undefined || network !== undefined || (desired === 'stop' && taken.has(address))) continue
    taken.add(address)
    const named = state.releases.find(app, release)?.spec.entrypoints[entrypoint]?.profiles ?? []
    endpoints.set(address, { node, profiles: inForce(named) })
  }
  return { profiles, endpoints, externals: externalTags(state), nodes: policyNodes(state), ...worldTwins(state) }
}
