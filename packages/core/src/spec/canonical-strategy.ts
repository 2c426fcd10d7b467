import type { RolloutSpec } from '../model/app-spec.ts'
import type { StageSpec } from '../model/stage-spec.ts'
import { canonicalStages } from './canonical-stages.ts'
import { specDefaults } from './defaults.ts'
import { readDuration } from './read-values.ts'
import type { EnvironmentRolloutDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

const all: StageSpec = { name: 'all', gates: [] }
const dayMs = 86_400_000

/** A strategy is short for stages, but for one that ends the old before the new begins. */
export function strategyOf(
  issues: IssueList,
  at: SpecPath,
  document: EnvironmentRolloutDocument,
): Partial<Pick<RolloutSpec, 'stages' | 'recreate'>> {
  const { strategy, keep } = document
  const stages = canonicalStages(issues, [...at, 'stages'], document.stages)
  if (keep !== undefined && strategy !== 'blue-green')
    issues.add([...at, 'keep'], 'only `strategy: blue-green` keeps the old instances', {
      atKey: true,
      suggestion: 'leave it out',
    })
  if (strategy === 'blue-green') {
    if (stages !== undefined && stages.length > 0)
      issues.add([...at, 'stages'], '`strategy: blue-green` is stages of its own', {
        suggestion: 'leave out one of them; a stage with `beside: true` keeps all old instances',
      })
    const keepMs = readDuration(issues, [...at, 'keep'], keep, specDefaults.keepMs, { min: 1000, max: dayMs })
    return { stages: blueGreen(keepMs) }
  }
  if (strategy === 'recreate') return { ...(stages === undefined ? {} : { stages }), recreate: true }
  if (strategy === 'canary' && (stages ?? []).length === 0)
    return {
      stages: [{ name: 'canary', instances: 1, gates: [{ type: 'health', forMs: specDefaults.canaryMs }] }, all],
    }
  return stages === undefined ? {} : { stages }
}

const blueGreen = (keepMs: number): StageSpec[] => [
  { name: 'beside', beside: true, traffic: 0, gates: [] },
  { name: 'switched', beside: true, traffic: 1000, gates: [{ type: 'health', forMs: keepMs }] },
  all,
]
