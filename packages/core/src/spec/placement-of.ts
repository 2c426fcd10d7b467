import type { EntrypointSpec } from '../model/app-spec.ts'
import { defaultGroupName } from '../model/node-group.ts'
import type { PlacementSpec } from '../model/placement-spec.ts'
import type { Pool } from '../model/pool.ts'
import type { Rollout } from '../model/rollout.ts'
import { specDefaults } from './defaults.ts'

/** A volume that stays on its node: an instance elsewhere would find it empty. */
export const hasLocalData = ({ volumes }: Pick<EntrypointSpec, 'volumes'>): boolean =>
  volumes.some(({ type }) => type === 'named' || type === 'host')

/** Also of a release that was made before `placement` could be said. */
export const placementOf = (spec: EntrypointSpec): PlacementSpec => spec.placement ?? defaultPlacement(spec)

/** What counts where `placement` says nothing. */
export const defaultPlacement = (spec: Pick<EntrypointSpec, 'type' | 'volumes'>): PlacementSpec =>
  spec.type === 'job' || hasLocalData(spec)
    ? { ...specDefaults.placement, reschedule: 'never' }
    : specDefaults.placement

/** Runs on every node that matches, instead of a number of times. */
export const isSystem = (spec: EntrypointSpec): boolean =>
  spec.type === 'service' && placementOf(spec).strategy.type === 'each'

/**
 * The node group that an entrypoint's instances are placed in now: the pool's own, else the spec's, else `default`. A rollout that moved the
 * pool to another group and is on its way back places where the pool was before.
 */
export function nodeGroupOf(
  spec: EntrypointSpec,
  pool: Pick<Pool, 'group'>,
  rollout?: Pick<Rollout, 'state' | 'groupBefore'>,
): string {
  const back = rollout?.state === 'rolling-back' && rollout.groupBefore !== undefined
  const own = back ? (rollout.groupBefore ?? undefined) : pool.group
  return own ?? placementOf(spec).group ?? defaultGroupName
}
