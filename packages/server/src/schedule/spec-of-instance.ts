import { type EntrypointSpec, type Instance, resolveEntrypoint } from '@berth/core'
import type { State } from '../records/index.ts'

/** What an instance runs by, as its pool's environment has it; made anew only where that environment says something of it. */
export function specOfInstance(
  state: State,
  { app, pool, release, entrypoint }: Pick<Instance, 'app' | 'pool' | 'release' | 'entrypoint'>,
): EntrypointSpec | undefined {
  const spec = state.releases.find(app, release)?.spec
  const environment = state.pools.find(app, pool)?.environment
  if (spec === undefined || environment === undefined) return spec?.entrypoints[entrypoint]
  const isChanged = spec.environments[environment]?.entrypoints[entrypoint] !== undefined
  return isChanged ? resolveEntrypoint(spec, environment, entrypoint) : spec.entrypoints[entrypoint]
}
