import {
  type Instance,
  type Node,
  ownAddressList,
  type Profile,
  parseBlock,
  profilesInForce,
  readProfile,
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

/** Addresses of a node that containers have which somebody starts there by hand: for them the default holds. None on a bridge. */
export const byHandAddresses = (state: State, { name, block }: Node): readonly string[] =>
  state.nodeStatuses.get(name)?.network?.driver === 'routed' ? ownAddressList(parseBlock(block)) : []

/** Those in force on an instance, in order; empty: no rules. */
export function profilesOfInstance(state: State, { app, release, entrypoint, network }: Instance): readonly string[] {
  // What its node sends and is sent is nobody's to restrict here.
  if (network !== undefined) return []
  const named = state.releases.find(app, release)?.spec.entrypoints[entrypoint]?.profiles ?? []
  return profilesInForce(named, (name) => state.profiles.has(name))
}
