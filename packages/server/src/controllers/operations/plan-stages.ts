import type { PlanView } from '@berth/api'
import {
  type AppSpec,
  formatDuration,
  formatShare,
  gateText,
  hookText,
  type Pool,
  type StageSpec,
  shareOf,
  siteLabel,
  stageBounds,
} from '@berth/core'
import { approvalRulesFor } from '../../approvals/approval-rules.ts'
import { freezesNow } from '../../freezes/freeze-times.ts'
import type { State } from '../../records/index.ts'

type PlanStage = NonNullable<PlanView['stages']>[number]

interface Planned {
  readonly app: string
  readonly pool: string
  readonly spec: AppSpec
  readonly wanted: Readonly<Record<string, number>>
  /** Only counts change. */
  readonly same: boolean
}

/** What a deploy would go through, and what it would wait for before it begins. */
export function planProcedure(
  state: State,
  pool: Pool | undefined,
  planned: Planned,
  now: number,
): Pick<PlanView, 'stages' | 'approvals' | 'freezes'> {
  const { app, pool: name, spec, same } = planned
  if (same) return {}
  const rules = approvalRulesFor(state, app, name).map((rule) => ({
    ...{ name: rule.name, needed: rule.needed, role: rule.role },
  }))
  const needed = Math.max(spec.rollout.approvals ?? 0, ...rules.map((rule) => rule.needed))
  return {
    stages: pool?.release === undefined ? [] : stagesOf(state, pool, planned),
    ...(needed === 0 ? {} : { approvals: { needed, rules } }),
    freezes: freezesNow(state, app, name, now).map(({ freeze, until }) => ({
      ...{ name: freeze.name, reason: freeze.reason, until },
    })),
  }
}

/** How many are new at the end of each: of a stage about sites by where instances are now. */
function stagesOf(state: State, pool: Pool, { spec, wanted }: Planned): PlanStage[] {
  const known: Record<string, number>[] = []
  return (spec.rollout.stages ?? []).map((stage) => {
    const counts = Object.fromEntries(
      Object.entries(wanted).map(([name, count]) => [name, newAtEnd(state, pool, stage, name, count, known.at(-1))]),
    )
    known.push(counts)
    const { name, sites, entrypoints, gates, before = [], after = [] } = stage
    return {
      ...{ name, counts },
      ...(stage.traffic === undefined ? {} : { traffic: trafficText(stage) }),
      ...(sites === undefined ? {} : { sites: [...sites] }),
      ...(entrypoints === undefined ? {} : { entrypoints: [...entrypoints] }),
      ...{ before: before.map(hookText), gates: gates.map(gateText), after: after.map(hookText) },
    }
  })
}

function newAtEnd(
  state: State,
  pool: Pool,
  stage: StageSpec,
  entrypoint: string,
  wanted: number,
  before: Readonly<Record<string, number>> | undefined,
): number {
  const known = before?.[entrypoint] ?? 0
  const there = known + (stage.sites === undefined ? 0 : countAt(state, pool, stage.sites, entrypoint))
  const share = shareOf(stage, { name: stage.name, gates: [], counts: { [entrypoint]: there } }, entrypoint)
  if (share === undefined) return known
  const from = { release: '', generation: 0 }
  return Math.max(known, stageBounds({ shares: [share], from }, wanted).target)
}

const countAt = (state: State, pool: Pool, sites: readonly string[], entrypoint: string): number =>
  state.instances
    .byPool(pool.app, pool.name)
    .filter(
      (each) =>
        each.entrypoint === entrypoint &&
        each.desired === 'run' &&
        sites.includes(state.nodes.get(each.node ?? '')?.labels[siteLabel] ?? ''),
    ).length

const trafficText = ({ traffic = 0, grow }: StageSpec): string => {
  const text = (share: number): string => (share === 0 ? '0%' : formatShare(share))
  return grow === undefined
    ? text(traffic)
    : `${text(grow.from)} to ${text(traffic)} over ${formatDuration(grow.overMs)}`
}
