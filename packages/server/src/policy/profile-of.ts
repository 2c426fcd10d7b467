import {
  type Instance,
  type Node,
  ownAddressList,
  type Profile,
  parseBlock,
  profilesInForce,
  readProfile,
  wishInForce,
} from '@berth/core'
import type { ProfileRecord, State } from '../records/index.ts'

const read = new WeakMap<ProfileRecord, Profile | undefined>()

/** The profile that a record holds. undefined for one that this version cannot read: who has it is closed. */
export function profileOf(record: ProfileRecord | undefined): Profile | undefined {
  if (record === undefined) return undefined
  if (!read.has(record)) read.set(record, readProfile(record.document, record.name).profile)
  return read.get(record)
}

export const allProfiles = (state: State): Profile[] =>
  [...state.profiles.values()].flatMap((record) => profileOf(record) ?? [])

/** Addresses of a node that containers have which somebody starts there by hand. None on a bridge. */
const byHandAddresses = (state: State, { name, block }: Node): readonly string[] =>
  state.nodeStatuses.get(name)?.network?.driver === 'routed' ? ownAddressList(parseBlock(block)) : []

/** Those, and what their containers name; for the others the default holds, whether somebody has them or not. An empty list: no rules. */
export function byHandEnds(
  state: State,
  node: Node,
  exists: (profile: string) => boolean,
): ReadonlyMap<string, ByHandEnd> {
  const usual: ByHandEnd = { profiles: profilesInForce([], exists) }
  const ends = new Map<string, ByHandEnd>(byHandAddresses(state, node).map((address) => [address, usual]))
  for (const { address, profiles, closed } of state.nodeStatuses.get(node.name)?.byHand ?? [])
    if (ends.has(address))
      ends.set(address, {
        ...{ profiles: wishInForce(profiles, exists), named: profiles },
        ...(closed === undefined ? {} : { closed }),
      })
  return ends
}

export interface ByHandEnd {
  /** In force; of those that it names the missing ones, as long as some are. */
  readonly profiles: readonly string[]
  /** By its container. Absent: none is. */
  readonly named?: readonly string[]
  /** Why they are not in force; absent: they are. */
  readonly closed?: string
}

/** Those in force on an instance, in order; empty: no rules. */
export function profilesOfInstance(state: State, { app, release, entrypoint, network }: Instance): readonly string[] {
  // What its node sends and is sent is nobody's to restrict here.
  if (network !== undefined) return []
  const named = state.releases.find(app, release)?.spec.entrypoints[entrypoint]?.profiles ?? []
  return profilesInForce(named, (name) => state.profiles.has(name))
}
