import type { ResizeView, SizesView } from '@berth/api'
import {
  type AppSpec,
  askedSizes,
  BerthError,
  bandwidthChanges,
  type EntrypointSpec,
  formatBytes,
  formatCpu,
  isSameSizes,
  type Pool,
  resolveSpec,
  type Sizes,
  sizedSpec,
  sizesOf,
  withoutSizes,
  withSizes,
} from '@berth/core'
import { type AwaitedApproval, askForApprovals, awaitedApprovals, wishText } from '../../groups/group-checks.ts'
import type { RecordTransaction } from '../../records/index.ts'
import { requestOf } from '../../schedule/request-of.ts'
import type { CallContext, ResizeArguments } from '../operations.ts'
import { requireLivePool, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { planInstances } from './plan-resize.ts'
import { growthProblems, isMore, refuseImpossible, wantedSizes } from './resize-checks.ts'

interface Resize {
  readonly pool: Pool
  readonly next: Pool
  readonly view: ResizeView
  readonly awaited: readonly AwaitedApproval[]
}

/** Sets what an entrypoint's instances ask for. Those that run are changed by the pool's controller, in place where that is possible. */
export async function resizePool(
  context: OperationsContext,
  args: ResizeArguments,
  call: CallContext,
): Promise<ResizeView> {
  if (args.dryRun) return decideResize(context, args, call.actor).view
  const decide = (tx: RecordTransaction): ResizeView => {
    const { pool, next, view, awaited } = decideResize(context, args, call.actor)
    refuse(args, view.problems)
    if (next === pool) return view
    tx.put('pools', next, { ifUnchanged: true })
    askForApprovals(tx, pool, awaited, { by: call.actor, at: context.now() })
    const how = args.asWritten ? ' as its berth.yaml says' : ''
    const message = `${pool.app}/${pool.name}: ${args.entrypoint}${how}: ${changeText(view.before, view.after)}`
    const type = awaited.length > 0 ? 'pool.resize-asked' : 'pool.resized'
    tx.event({ type, subject: { app: pool.app, pool: pool.name }, message })
    return view
  }
  return (await context.records.commit(call.actor, decide, call)).value
}

function decideResize(context: OperationsContext, args: ResizeArguments, actor: string): Resize {
  const { state } = context
  const pool = requireLivePool(state, args.app, args.pool)
  const { spec, whole } = specOf(context, pool, args.entrypoint)
  refuseDuringRollout(context, pool, args.entrypoint)
  const what = `${args.app}/${args.entrypoint}@${args.pool}`
  const wanted = wantedSizes(what, args)
  const next = resized(pool, args, spec, wanted)
  const before = sizesOf(args.entrypoint, spec, pool)
  const after = sizesOf(args.entrypoint, spec, next)
  const subject = { app: pool.app, pool: pool.name, entrypoint: args.entrypoint, type: spec.type } as const
  refuseImpossible(context, what, spec, pool, wanted, requestOf(subject, spec, next))
  const sized = sizedSpec(whole, next.sizes)
  const own = { ...sized, entrypoints: { [args.entrypoint]: sized.entrypoints[args.entrypoint]! } }
  const awaited = isSameSizes(before, after) ? [] : awaitedApprovals(state, pool, own)
  const instances = planInstances(context, next, args.entrypoint, spec, sized.rollout)
  const view = {
    ...{ app: args.app, pool: args.pool, entrypoint: args.entrypoint, before, after, instances },
    written: writtenSizes(spec),
    changes: !isSameSizes(before, after) || instances.some((each) => each.how !== 'unchanged'),
    problems: [
      ...growthProblems(state, pool, sized, isMore(before, after), actor),
      ...instances.flatMap((each) => (each.how === 'nowhere' ? [`${each.name}: ${each.reason}`] : [])),
    ],
    ...(awaited.length === 0 ? {} : { awaits: awaited.map((each) => wishText(pool, each)).join('; ') }),
  }
  if (JSON.stringify(next) === JSON.stringify(pool)) return { pool, next: pool, view, awaited: [] }
  return { pool, next: awaited.length === 0 ? next : waiting(pool, args, spec, wanted), view, awaited }
}

/** What waited before for approval is overtaken by it. */
function resized(pool: Pool, { entrypoint, asWritten }: ResizeArguments, spec: EntrypointSpec, wanted: Sizes): Pool {
  const { sizes: _, awaitedSizes, ...rest } = pool
  const sizes = asWritten ? withoutSizes(pool.sizes, entrypoint) : withSizes(pool.sizes, entrypoint, spec, wanted)
  const awaited = withoutSizes(awaitedSizes, entrypoint)
  return {
    ...rest,
    ...(sizes === undefined ? {} : { sizes }),
    ...(awaited === undefined ? {} : { awaitedSizes: awaited }),
  }
}

const waiting = (pool: Pool, { entrypoint }: ResizeArguments, spec: EntrypointSpec, wanted: Sizes): Pool => ({
  ...pool,
  awaitedSizes: { ...pool.awaitedSizes, [entrypoint]: withSizes(pool.sizes, entrypoint, spec, wanted)[entrypoint]! },
})

function specOf(
  { state }: OperationsContext,
  pool: Pool,
  entrypoint: string,
): { readonly spec: EntrypointSpec; readonly whole: AppSpec } {
  if (pool.release === undefined)
    throw new BerthError(
      'pool.empty',
      `resize ${pool.app}/${pool.name}: no release runs there yet; write cpu and memory in its berth.yaml and deploy`,
    )
  const whole = resolveSpec(requireRelease(state, pool.app, pool.release).spec, pool.environment)
  const spec = whole.entrypoints[entrypoint]
  if (spec !== undefined) return { spec, whole }
  throw new BerthError(
    'entrypoint.not-found',
    `resize ${pool.app}/${pool.name}: no entrypoint ${entrypoint}; it has ${Object.keys(whole.entrypoints).join(', ')}`,
    { details: { entrypoint } },
  )
}

/** A rollout replaces instances as it is, and has sizes to go back to. */
function refuseDuringRollout({ state }: OperationsContext, pool: Pool, entrypoint: string): void {
  const held = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  if (held === undefined) return
  throw new BerthError(
    'rollout.in-progress',
    `resize ${pool.app}/${entrypoint}@${pool.name}: rollout ${held.id} to ${held.to} is under way; wait for it (berth rollout watch ${held.id}) or stop it (berth rollout abort ${held.id})`,
    { retryable: true, details: { rollout: held.id } },
  )
}

function refuse(args: ResizeArguments, problems: readonly string[]): void {
  if (problems.length === 0) return
  throw new BerthError('resize.no-room', `resize ${args.app}/${args.entrypoint}@${args.pool}: ${problems.join('; ')}`, {
    details: { problems },
  })
}

const writtenSizes = (spec: EntrypointSpec): Sizes => askedSizes({}, spec)

function changeText(before: SizesView, after: SizesView): string {
  const cpu = (milli: number | undefined): string => (milli === undefined ? 'nothing' : formatCpu(milli))
  const memory = (bytes: number | undefined): string => (bytes === undefined ? 'nothing' : formatBytes(bytes))
  const parts = [
    ...bandwidthChanges(before, after),
    ...(before.cpuMilli === after.cpuMilli ? [] : [`cpu ${cpu(before.cpuMilli)} → ${cpu(after.cpuMilli)}`]),
    ...(before.memoryBytes === after.memoryBytes
      ? []
      : [`memory ${memory(before.memoryBytes)} → ${memory(after.memoryBytes)}`]),
  ]
  return parts.join(', ') || 'no change'
}
