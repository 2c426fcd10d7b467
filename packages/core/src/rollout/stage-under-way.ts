import type { AppSpec, Rollout, RolloutStage } from '../model/index.ts'
import { isOpen } from './stage-hooks.ts'

/** The stage under way, counted from 0; undefined where there are none, or none any more. */
export function stageUnderWay({ stages }: Pick<Rollout, 'stages'>): number | undefined {
  const index = stages?.findIndex(({ endedAt }) => endedAt === undefined) ?? -1
  return index < 0 ? undefined : index
}

/** The stage whose part is to be there by now: while something is to be done before one, that is the one before it. */
export function openStage(rollout: Pick<Rollout, 'stages'>): number | undefined {
  const index = stageUnderWay(rollout)
  const stage = index === undefined ? undefined : rollout.stages?.[index]
  return index === undefined || stage === undefined || isOpen(stage) ? index : index - 1
}

export const withStage = (rollout: Rollout, index: number, stage: RolloutStage): Rollout => ({
  ...rollout,
  stages: (rollout.stages ?? []).map((each, place) => (place === index ? stage : each)),
})

/**
 * Where new instances of a rollout are placed while a stage about sites is open: at its sites, and at those of the stages before it, whose
 * own may have to be made anew. undefined: anywhere.
 */
export function placingSites(rollout: Rollout | undefined, spec: AppSpec | undefined): readonly string[] | undefined {
  const index = rollout?.state === 'running' ? openStage(rollout) : undefined
  const stages = index === undefined ? [] : (spec?.rollout.stages ?? []).slice(0, index + 1)
  if (stages.at(-1)?.sites === undefined) return undefined
  return [...new Set(stages.flatMap(({ sites = [] }) => sites))]
}
