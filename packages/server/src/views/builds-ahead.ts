import { buildOrder } from '@berth/core'
import type { State } from '../records/index.ts'

/** Of each build that waits, how many begin before it as far as is known now. */
export function buildsAhead(state: State): ReadonlyMap<string, number> {
  const open = [...state.builds.values()].filter((build) => build.state === 'queued' || build.state === 'running')
  const queued = open.filter((build) => build.state === 'queued')
  const running = open.filter((build) => build.state === 'running')
  return new Map(buildOrder(queued, running).map((build, index) => [build.id, index]))
}
