import type { AppSpec } from '@berth/core'
import type { State } from '../records/index.ts'

/** Who names it: entrypoints in what pools run or are about to run (`shop/production/db`), containers that were started by hand (`10.77.2.240 on n2`). */
export function profileUsers(state: State, profile: string): string[] {
  const users = new Set<string>()
  for (const { app, name, release, rollout } of state.pools.values()) {
    const to = rollout === undefined ? undefined : state.rollouts.get(rollout)?.to
    const running = state.instances.byPool(app, name).map((instance) => instance.release)
    for (const id of new Set([release, to, ...running])) {
      const spec = id === undefined ? undefined : state.releases.find(app, id)?.spec
      for (const entrypoint of entrypointsWith(spec, profile)) users.add(`${app}/${name}/${entrypoint}`)
    }
  }
  for (const { name, byHand = [] } of state.nodeStatuses.values())
    for (const { address, profiles } of byHand) if (profiles.includes(profile)) users.add(`${address} on ${name}`)
  return [...users].sort()
}

/** Profiles that a spec names and that are not there. */
export function missingProfiles(state: State, spec: AppSpec): string[] {
  const named = new Set(Object.values(spec.entrypoints).flatMap(({ profiles = [] }) => profiles))
  return [...named].filter((name) => !state.profiles.has(name)).sort()
}

const entrypointsWith = (spec: AppSpec | undefined, profile: string): string[] =>
  Object.entries(spec?.entrypoints ?? {}).flatMap(([name, { profiles = [] }]) =>
    profiles.includes(profile) ? [name] : [],
  )
