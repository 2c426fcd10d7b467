import type { InstanceShare, RolloutStage, StageSpec } from '../model/index.ts'
import { type PoolGoal, serviceNames } from '../reconcile/plan-entrypoints.ts'
import { isUp, type PoolSnapshot } from '../reconcile/pool-snapshot.ts'

/** What a stage says of an entrypoint; undefined: nothing. */
export function shareOf(
  { instances, sites, entrypoints }: StageSpec,
  stage: RolloutStage | undefined,
  name: string,
): InstanceShare | undefined {
  if (entrypoints?.includes(name) === false) return undefined
  return sites === undefined ? (instances ?? { percent: 100 }) : stage?.counts?.[name]
}

/** Those that are new already, and the old ones at these sites. */
export function countsAt(
  snapshot: PoolSnapshot,
  { spec, generation }: PoolGoal,
  sites: readonly string[],
  stage: StageSpec | undefined,
): Record<string, number> {
  const at = nodesAt(snapshot, sites)
  const names = serviceNames(spec).filter((name) => stage?.entrypoints?.includes(name) !== false)
  const counted = snapshot.instances.filter(
    (each) =>
      isUp(each) &&
      each.lost === undefined &&
      (each.instance.generation === generation || at.has(each.instance.node ?? '')),
  )
  return Object.fromEntries(
    names.map((name) => [name, counted.filter(({ instance }) => instance.entrypoint === name).length]),
  )
}

export const nodesAt = ({ sites }: Pick<PoolSnapshot, 'sites'>, wanted: readonly string[]): ReadonlySet<string> =>
  new Set([...(sites ?? [])].flatMap(([node, site]) => (wanted.includes(site) ? [node] : [])))
