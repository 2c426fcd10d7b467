import { resolveSpec, type ScheduleSpec } from '@berth/core'
import type { State } from '../records/index.ts'

/** By entrypoint: what runs by the clock in this pool now. */
export function schedulesOf(state: State, id: string): Map<string, ScheduleSpec> {
  const pool = state.pools.get(id)
  const release = pool?.release === undefined ? undefined : state.releases.find(pool.app, pool.release)
  if (pool === undefined || pool.removing === true || release === undefined) return new Map()
  const { entrypoints } = resolveSpec(release.spec, pool.environment)
  return new Map(
    Object.entries(entrypoints).flatMap(([name, { type, schedule }]) =>
      type === 'job' && schedule !== undefined ? [[name, schedule] as const] : [],
    ),
  )
}
