import type { Rollout, RolloutHook, RolloutStage } from '../model/index.ts'
import { stageUnderWay, withStage } from './stage-under-way.ts'
import { placeOf } from './stages.ts'

/** The stage under way ends whatever its gates say; the last one once its instances serve. undefined: there is none. */
export function skipStage(rollout: Rollout, actor: string): Rollout | undefined {
  const index = stageUnderWay(rollout)
  const stage = index === undefined ? undefined : rollout.stages?.[index]
  if (index === undefined || stage === undefined || stage.skippedBy !== undefined) return undefined
  return {
    ...withStage(rollout, index, { ...stage, skippedBy: actor }),
    message: `${placeOf(rollout, index)} is skipped by ${actor}`,
  }
}

/** A person's yes to the stage under way, or to going on although a hook has failed. undefined: it waits for nobody. */
export function continueStage(rollout: Rollout, actor: string, now: number): Rollout | undefined {
  const index = stageUnderWay(rollout)
  const stage = index === undefined ? undefined : rollout.stages?.[index]
  if (index === undefined || stage === undefined) return undefined
  const despite = despiteFailed(stage, actor)
  if (despite !== undefined)
    return {
      ...withStage(rollout, index, despite),
      message: `${placeOf(rollout, index)} may go on all the same, says ${actor}`,
    }
  if (stage.readyAt === undefined) return undefined
  if (!stage.gates.some(({ type, verdict }) => type === 'person' && verdict === 'waiting')) return undefined
  const gates = stage.gates.map((gate) =>
    gate.type === 'person' ? ({ ...gate, verdict: 'passed', at: now, by: actor } as const) : gate,
  )
  return {
    ...withStage(rollout, index, { ...stage, gates }),
    message: `${placeOf(rollout, index)} may go on, says ${actor}`,
  }
}

/** undefined: none has failed that holds it. */
function despiteFailed(stage: RolloutStage, by: string): RolloutStage | undefined {
  const holds = ({ state, by: known }: RolloutHook): boolean => state === 'failed' && known === undefined
  const allow = (hooks: readonly RolloutHook[]): readonly RolloutHook[] =>
    hooks.map((hook) => (holds(hook) ? { ...hook, by } : hook))
  const { before = [], after = [] } = stage
  if (![...before, ...after].some(holds)) return undefined
  return {
    ...stage,
    ...(stage.before === undefined ? {} : { before: allow(before) }),
    ...(stage.after === undefined ? {} : { after: allow(after) }),
  }
}
