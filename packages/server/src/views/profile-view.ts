import type { ProfileView } from '@berth/api'
import { formatRule, problemOf, profileWarnings } from '@berth/core'
import { allProfiles, profileOf, profilesOfInstance } from '../policy/profile-of.ts'
import type { ProfileRecord, State } from '../records/index.ts'

/** `instances`: how many have each profile. */
export function profileView(state: State, record: ProfileRecord, instances = countInstances(state)): ProfileView {
  const { name, document, version, updatedAt, updatedBy } = record
  const profile = profileOf(record)
  const warnings =
    profile === undefined ? [] : profileWarnings(profile, [...allProfiles(state), ...state.externals.values()])
  return {
    ...{ name, version, updatedAt, updatedBy },
    tags: [...document.tags],
    inbound: profile?.inbound.map(formatRule) ?? [],
    outbound: profile?.outbound.map(formatRule) ?? [],
    document: structuredClone(document) as ProfileView['document'],
    instances: instances.get(name) ?? 0,
    warnings: warnings.map(problemOf),
  }
}

export function countInstances(state: State): Map<string, number> {
  const counts = new Map<string, number>()
  if (state.profiles.size === 0) return counts
  for (const instance of state.instances.values())
    for (const name of profilesOfInstance(state, instance)) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
