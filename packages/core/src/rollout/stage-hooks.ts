import type { Rollout, RolloutFailure, RolloutHook, RolloutStage, StageHookSpec, StageSpec } from '../model/index.ts'
import type { PoolGoal } from '../reconcile/plan-entrypoints.ts'
import { isUp, type ObservedInstance, type PoolSnapshot, type PoolStep } from '../reconcile/pool-snapshot.ts'
import { formatDuration } from '../spec/quantities.ts'
import { type HookWhen, hookId, mostHookOutput } from './hook-answer.ts'
import { hookText } from './hook-text.ts'
import { lateJob } from './jobs-before.ts'

export const newHook = (spec: StageHookSpec): RolloutHook => ({
  ...{ type: spec.type, state: 'waiting', message: hookText(spec) },
})

/** Its instances may come: all that had to be done before is done and it is known how many they are, or somebody has skipped it. */
export const isOpen = ({ before = [], skippedBy, sites, counts }: RolloutStage): boolean =>
  skippedBy !== undefined || (before.every(isThrough) && (sites === undefined || counts !== undefined))

/** It holds nothing up. */
export const isThrough = ({ state, by }: RolloutHook): boolean => state === 'done' || by !== undefined

export interface HooksView {
  readonly snapshot: PoolSnapshot
  readonly rollout: Rollout
  readonly goal: PoolGoal
  readonly stage: { readonly index: number; readonly name: string }
  readonly when: HookWhen
  readonly specs: readonly StageHookSpec[]
}

export interface HooksOutcome {
  readonly hooks: readonly RolloutHook[]
  readonly steps: readonly PoolStep[]
  readonly failure?: RolloutFailure
  readonly nextAt?: number
}

/** One step of a stage's hooks before or after it: the first that is not through begins, is looked at, or holds. */
export function advanceHooks(before: readonly RolloutHook[], view: HooksView, now: number): HooksOutcome {
  const place = before.findIndex((hook) => !isThrough(hook))
  const hook = before[place]
  const spec = view.specs[place]
  if (hook === undefined || spec === undefined || hook.state === 'failed') return { hooks: before, steps: [] }
  // A job's run is created only once its begin is on record, so that none is taken for the run of another hook.
  if (hook.state === 'waiting') return { hooks: before.with(place, begun(hook, spec, view, now)), steps: [] }
  const judged = spec.type === 'job' ? judgeRun(spec, hook, view, now) : judgeAnswer(hook, place, view, now)
  const { steps = [], nextAt, detail } = judged
  const hooks = judged.hook === hook ? before : before.with(place, judged.hook)
  if (judged.hook.state !== 'failed' || spec.onFailure === 'hold')
    return { hooks, steps, ...(nextAt === undefined ? {} : { nextAt }) }
  const reason = `stage ${view.stage.name}: ${view.when} it: ${judged.hook.message}`
  return { hooks, steps, failure: { reason, logTail: [], ...detail } }
}

/** What a stage waits for before or after it: `job notify before it`. */
export function hooksText(hooks: readonly RolloutHook[], when: HookWhen, { id }: Pick<Rollout, 'id'>): string {
  const hook = hooks.find((each) => !isThrough(each))
  if (hook === undefined) return ''
  return hook.state === 'failed'
    ? `a person, since a hook ${when} it failed: ${hook.message} (berth rollout continue ${id})`
    : `${hook.message} ${when} it`
}

/** A stage that goes no further waits for none of its hooks either. */
export function cutHooksOf({ before, after }: RolloutStage, now: number): Pick<RolloutStage, 'before' | 'after'> {
  const cut = (hook: RolloutHook): RolloutHook =>
    hook.state === 'running' ? { ...hook, state: 'failed', message: `${hook.message}: cut off`, endedAt: now } : hook
  return {
    ...(before === undefined ? {} : { before: before.map(cut) }),
    ...(after === undefined ? {} : { after: after.map(cut) }),
  }
}

/** The runs of its hooks that have not ended are stopped: whoever skips a stage wants none of it any more. */
export function runsUnderWay(
  { before = [], after = [] }: RolloutStage,
  { snapshot, rollout }: Pick<HooksView, 'snapshot' | 'rollout'>,
  spec: Pick<StageSpec, 'before' | 'after'> | undefined,
): PoolStep[] {
  const stops = (hooks: readonly RolloutHook[], specs: readonly StageHookSpec[] = []): PoolStep[] =>
    hooks.flatMap(({ state, ordinal = 0 }, place) => {
      const hook = specs[place]
      if (state !== 'running' || hook?.type !== 'job') return []
      const run = runsOf(snapshot, rollout, hook.job).find((each) => isUp(each) && each.instance.ordinal >= ordinal)
      if (run === undefined || run.status?.phase === 'ended') return []
      return [{ type: 'stop', instance: run.instance.id, reason: 'its stage was skipped' }]
    })
  return [...stops(before, spec?.before), ...stops(after, spec?.after)]
}

interface HookJudgement {
  readonly hook: RolloutHook
  readonly steps?: readonly PoolStep[]
  readonly nextAt?: number
  readonly detail?: Pick<RolloutFailure, 'instance' | 'logTail'>
}

function begun(hook: RolloutHook, spec: StageHookSpec, { snapshot, rollout }: HooksView, now: number): RolloutHook {
  if (spec.type === 'url') return { ...hook, state: 'running', startedAt: now }
  const last = Math.max(0, ...runsOf(snapshot, rollout, spec.job).map(({ instance }) => instance.ordinal))
  return { ...hook, state: 'running', startedAt: now, ordinal: last + 1 }
}

/** Instances of a rollout's jobs stay while it goes on. */
const runsOf = ({ instances }: PoolSnapshot, { id }: Rollout, job: string): ObservedInstance[] =>
  instances.filter(({ instance }) => instance.type === 'job' && instance.rollout === id && instance.entrypoint === job)

function judgeRun(
  { job: name, timeoutMs }: Extract<StageHookSpec, { readonly type: 'job' }> & StageHookSpec,
  hook: RolloutHook,
  { snapshot, rollout, goal }: HooksView,
  now: number,
): HookJudgement {
  const run = runsOf(snapshot, rollout, name).find(({ instance }) => instance.ordinal >= (hook.ordinal ?? 0))
  const { release, generation } = goal
  if (run === undefined) {
    const kind = 'job' as const
    return { hook, steps: [{ type: 'create', entrypoint: name, release, generation, kind, rollout: rollout.id }] }
  }
  const ended = (state: 'done' | 'failed', why: string): RolloutHook => ({
    ...{ ...hook, state, message: `job ${name} ${why}`, endedAt: now },
    ...outputOf((run.status?.logTail ?? []).join('\n')),
  })
  const detail = { instance: run.instance.id, logTail: run.status?.logTail ?? [] }
  const failed = (why: string): HookJudgement => ({ hook: ended('failed', why), detail })
  if (!isUp(run)) return failed(`was ended: ${run.instance.stopReason ?? 'stopped'}`)
  if (run.status?.phase === 'ended') {
    const code = run.status.lastExit?.code
    return code === 0 ? { hook: ended('done', 'has ended well') } : failed(`failed with exit code ${code ?? 'unknown'}`)
  }
  const { late, nextAt } = lateJob(run, goal, now)
  if (late !== undefined) return failed(late)
  const until = (hook.startedAt ?? now) + timeoutMs
  if (now < until) return { hook, nextAt: Math.min(until, nextAt ?? until) }
  const why = `has not ended within ${formatDuration(timeoutMs)}`
  return { ...failed(why), steps: [{ type: 'stop', instance: run.instance.id, reason: `it ${why}` }] }
}

/** Whoever calls it gives up by itself in time; whoever takes over calls it again. */
function judgeAnswer(hook: RolloutHook, place: number, view: HooksView, now: number): HookJudgement {
  const { snapshot, rollout, stage, when } = view
  const answer = snapshot.hooks?.get(hookId(rollout.id, stage.index, when, place))
  if (answer === undefined) return { hook }
  const { ok, message, output = '' } = answer
  return {
    hook: {
      ...{ ...hook, state: ok ? 'done' : 'failed', message: `${hook.message}: ${message}`, endedAt: now },
      ...outputOf(output),
    },
    detail: { logTail: output === '' ? [] : output.slice(-mostHookOutput).split('\n') },
  }
}

/** The last of it: what went wrong stands at the end. */
const outputOf = (text: string): Pick<RolloutHook, 'output'> =>
  text === '' ? {} : { output: text.slice(-mostHookOutput) }
