import type { Pool, Rollout } from '@berth/core'
import type { State } from '../records/index.ts'

export interface ReleaseLimits {
  /** The newest ones of each app, whether they ever served or not. */
  readonly newest: number
  /** Of each pool: what its last rollouts that succeeded led from and to, which is what can be gone back to. */
  readonly rolloutsBack: number
}

/** Releases of an app (`v7`) that nothing runs, nothing is about to run, and nobody is likely to go back to. Oldest first. */
export function unneededReleases(state: State, app: string, limits: ReleaseLimits): string[] {
  const releases = state.releases.byApp(app)
  if (releases.length <= limits.newest) return []
  const needed = new Set(state.instances.byApp(app).map((instance) => instance.release))
  for (const pool of state.pools.byApp(app))
    for (const release of releasesOf(state, pool, limits.rolloutsBack)) needed.add(release)
  return releases
    .slice(0, -limits.newest)
    .map((release) => release.id)
    .filter((id) => !needed.has(id))
}

function releasesOf(state: State, pool: Pool, rolloutsBack: number): string[] {
  const rollouts = state.rollouts.byPool(pool.app, pool.name)
  const open = rollouts.filter((rollout) => rollout.endedAt === undefined)
  const ways = [...open, ...lastSucceeded(rollouts, rolloutsBack)]
  return [pool.release, ...ways.flatMap(({ from, to }) => [from, to])].filter((id) => id !== undefined)
}

export const lastSucceeded = (rollouts: readonly Rollout[], count: number): Rollout[] =>
  rollouts
    .filter((rollout) => rollout.state === 'succeeded')
    .sort((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0))
    .slice(0, count)
