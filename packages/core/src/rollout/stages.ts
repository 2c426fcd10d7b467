import type { GateSpec, Rollout, RolloutFailure, RolloutStage, StageSpec } from '../model/index.ts'
import { earliest, type PoolGoal, type PoolStage } from '../reconcile/plan-entrypoints.ts'
import { isUp, type PoolSnapshot, type PoolStep } from '../reconcile/pool-snapshot.ts'
import type { EntrypointPlan } from '../reconcile/replace-entrypoint.ts'
import { isAboutAll } from '../spec/is-about-all.ts'
import { gateText } from './gate-text.ts'
import { growTraffic, growthSteps, growthText } from './grow-traffic.ts'
import type { HookWhen } from './hook-answer.ts'
import { type JobJudgement, judgeJob } from './job-gates.ts'
import { judgeGate, newGate } from './judge-gate.ts'
import {
  advanceHooks,
  cutHooksOf,
  type HooksOutcome,
  hooksText,
  isOpen,
  isThrough,
  newHook,
  runsUnderWay,
} from './stage-hooks.ts'
import { countsAt, nodesAt, shareOf } from './stage-shares.ts'
import { openStage, placingSites, stageUnderWay, withStage } from './stage-under-way.ts'

/** Stages as a new rollout has them before it. */
export const newStages = (specs: readonly StageSpec[]): RolloutStage[] =>
  specs.map(({ name, gates, before, after, sites }) => ({
    ...{ name, gates: gates.map(newGate) },
    ...(sites === undefined ? {} : { sites }),
    ...(before === undefined ? {} : { before: before.map(newHook) }),
    ...(after === undefined ? {} : { after: after.map(newHook) }),
  }))

/** The rollout goes no further in its stages: the one under way has ended without having done its part. */
export function cutStage(rollout: Rollout, now: number): Rollout {
  const index = stageUnderWay(rollout)
  const stage = index === undefined ? undefined : rollout.stages?.[index]
  if (index === undefined || stage?.startedAt === undefined) return rollout
  return withStage(rollout, index, { ...stage, ...cutHooksOf(stage, now), endedAt: now })
}

/** How much of the new release is to be there for now; undefined: all of it. */
export function stageOf(snapshot: PoolSnapshot, rollout: Rollout, { spec }: PoolGoal): PoolStage | undefined {
  const index = openStage(rollout)
  const from = rollout.from === undefined ? undefined : snapshot.specs.get(rollout.from)
  if (rollout.state !== 'running' || index === undefined || rollout.from === undefined || from === undefined)
    return undefined
  const specs = spec?.rollout.stages ?? []
  const stages = specs.slice(0, index + 1)
  const beside = stages.at(-1)?.beside === true
  if (specs.length === 0 || (!beside && stages.some(isAboutAll))) return undefined
  const at = placingSites(rollout, spec)
  return {
    shares: (name) => stages.flatMap((each, place) => shareOf(each, rollout.stages?.[place], name) ?? []),
    beside,
    ...(at === undefined ? {} : { at: nodesAt(snapshot, at) }),
    from: { release: rollout.from, generation: rollout.fromGeneration, spec: from },
    replicasBefore: rollout.replicasBefore,
  }
}

export interface StageOutcome {
  readonly rollout: Rollout
  /** The stage has ended, and another one begins. */
  readonly moved?: boolean
  /** So has the last one. */
  readonly over?: boolean
  readonly failure?: RolloutFailure
  /** Runs of jobs that its gates wait for begin. */
  readonly steps?: readonly PoolStep[]
  readonly nextAt?: number
}

/** One step of the stage under way, once everything before the first stage is done. */
export function advanceStage(
  snapshot: PoolSnapshot,
  rollout: Rollout,
  goal: PoolGoal,
  plans: ReadonlyMap<string, EntrypointPlan>,
  now: number,
): StageOutcome {
  const complete = [...plans.values()].every((plan) => plan.complete)
  const index = rollout.state === 'running' ? stageUnderWay(rollout) : undefined
  const stage = index === undefined ? undefined : rollout.stages?.[index]
  if (index === undefined || stage === undefined) return { rollout, over: complete }
  const spec = goal.spec?.rollout.stages?.[index]
  const at = { snapshot, rollout, goal, stage: { index, name: stage.name } }
  if (!isOpen(stage)) {
    const started = { ...stage, startedAt: stage.startedAt ?? now }
    const { before = [] } = stage
    if (before.every(isThrough)) {
      const counts = countsAt(snapshot, goal, stage.sites ?? [], spec)
      return { rollout: withStage(rollout, index, { ...started, counts }), moved: true }
    }
    const hooked = advanceHooks(before, { ...at, when: 'before', specs: spec?.before ?? [] }, now)
    return hookedStage(rollout, index, { ...started, before: hooked.hooks }, 'before', hooked)
  }
  const begun: RolloutStage = {
    ...stage,
    startedAt: stage.startedAt ?? now,
    ...(complete && stage.readyAt === undefined ? { readyAt: now } : {}),
  }
  const specs = spec?.gates ?? []
  const view = { complete, readyAt: begun.readyAt, servingSince: servingSince(snapshot, goal) }
  const judged = begun.gates.map((gate, place): JobJudgement => {
    const each = specs[place]
    if (each === undefined) return { gate }
    if (each.type === 'job') return judgeJob(each, gate, { ...view, snapshot, rollout, goal }, now)
    return judgeGate(each, gate, { ...view, sample: snapshot.gates?.[place] }, now)
  })
  const gates = judged.map(({ gate }) => gate)
  // More requests go nowhere of which nothing is known.
  const held = !complete || gates.some(({ verdict }) => verdict === 'no-data' || verdict === 'failed')
  const grown = spec === undefined ? { isGrown: true } : growTraffic(spec, begun, rollout, held, now)
  const seen: RolloutStage = { ...begun, gates, ...(grown.growth === undefined ? {} : { growth: grown.growth }) }
  const last = index === (rollout.stages?.length ?? 0) - 1
  const failed = judged.find(({ gate }) => gate.verdict === 'failed')
  if (failed !== undefined && seen.skippedBy === undefined) {
    const failure = { reason: `stage ${seen.name}: ${failed.gate.message}`, logTail: [], ...failed.detail }
    return { rollout: withStage(rollout, index, seen), failure }
  }
  const passed = grown.isGrown && seen.gates.every(({ verdict }) => verdict === 'passed')
  const through = seen.skippedBy !== undefined || passed
  const { after = [] } = seen
  const told = seen.skippedBy !== undefined || after.every(isThrough)
  // What has begun is seen to its end, whatever becomes of instances meanwhile.
  if (through && !told && (complete || after.some(({ state }) => state !== 'waiting'))) {
    const hooked = advanceHooks(after, { ...at, when: 'after', specs: spec?.after ?? [] }, now)
    const nextAt = earliest(hooked.nextAt, ...judged.map((each) => each.nextAt))
    const later = nextAt === undefined ? {} : { nextAt }
    return hookedStage(rollout, index, { ...seen, after: hooked.hooks }, 'after', { ...hooked, ...later })
  }
  if ((complete && through) || (seen.skippedBy !== undefined && !last)) {
    const { requests } = snapshot
    const ended = withStage(rollout, index, {
      ...{ ...seen, ...cutHooksOf(seen, now), endedAt: now, served: servedBy(plans) },
      ...(requests === undefined ? {} : { requests }),
    })
    const steps = runsUnderWay(seen, at, spec)
    return last ? { rollout: ended, steps, over: true } : { rollout: begin(ended, index + 1, now), steps, moved: true }
  }
  const nextAt = earliest(grown.nextAt, ...judged.map((each) => each.nextAt))
  const next = withStage(rollout, index, seen)
  const steps = seen.skippedBy === undefined ? judged.flatMap(({ step }) => step ?? []) : []
  return {
    rollout: { ...next, message: stageMessage(next, index, spec, complete, plans) },
    ...(steps.length === 0 ? {} : { steps }),
    ...(nextAt === undefined ? {} : { nextAt }),
  }
}

/** The stage with what came of its hooks. Once all is done that had to be before it, its instances are looked at anew. */
function hookedStage(
  rollout: Rollout,
  index: number,
  stage: RolloutStage,
  when: HookWhen,
  { steps, failure, nextAt }: Omit<HooksOutcome, 'hooks'>,
): StageOutcome {
  const next = withStage(rollout, index, stage)
  if (failure !== undefined) return { rollout: next, failure, steps }
  const waits = hooksText(stage[when] ?? [], when, rollout)
  const message = `${rollout.to}: ${placeOf(next, index)} ${waits === '' ? 'goes on' : `waits for ${waits}`}`
  return {
    rollout: { ...next, message },
    ...(when === 'before' && waits === '' ? { moved: true } : {}),
    ...(steps.length === 0 ? {} : { steps }),
    ...(nextAt === undefined ? {} : { nextAt }),
  }
}

function begin(rollout: Rollout, index: number, now: number): Rollout {
  const stage = rollout.stages?.[index]
  if (stage === undefined) return rollout
  const next = withStage(rollout, index, { ...stage, startedAt: now })
  return { ...next, message: `${rollout.to}: ${placeOf(next, index)} begins` }
}

/** Of the last one of the new release that serves. */
function servingSince({ instances }: PoolSnapshot, { generation }: PoolGoal): number {
  const news = instances.filter(
    (each) => isUp(each) && each.instance.type === 'service' && each.instance.generation === generation,
  )
  return Math.max(0, ...news.map(({ since }) => since))
}

const servedBy = (plans: ReadonlyMap<string, EntrypointPlan>): Record<string, number> =>
  Object.fromEntries([...plans].map(([name, { progress }]) => [name, progress.newReady]))

/** `stage 1 of 3 (canary)` */
export const placeOf = ({ stages = [] }: Pick<Rollout, 'stages'>, index: number): string =>
  `stage ${index + 1} of ${stages.length} (${stages[index]?.name})`

/** What is done, or what is waited for. */
function stageMessage(
  rollout: Rollout,
  index: number,
  stage: StageSpec | undefined,
  complete: boolean,
  plans: ReadonlyMap<string, EntrypointPlan>,
): string {
  const place = placeOf(rollout, index)
  if (!complete) {
    const counts = [...plans].map(([name, { progress }]) => `${name} ${progress.newReady}/${progress.wanted}`)
    return `${rollout.to}: ${place}: ${counts.join(', ')} ready`
  }
  const { gates = [], growth } = rollout.stages?.[index] ?? {}
  const waits = gates.flatMap(({ verdict, message }, gate) => {
    const spec = stage?.gates[gate]
    if (verdict === 'passed' || spec === undefined) return []
    return [verdict === 'no-data' ? message : waitText(spec, rollout)]
  })
  if (stage !== undefined && growth !== undefined && growth.steps < growthSteps) waits.push(growthText(stage, growth))
  return `${rollout.to}: ${place} waits for ${waits.join(', ')}`
}

const waitText = (spec: GateSpec, { id }: Rollout): string =>
  spec.type === 'person' ? `a person (berth rollout continue ${id})` : gateText(spec)
