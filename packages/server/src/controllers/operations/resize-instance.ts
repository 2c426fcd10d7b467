import type { ResizeView } from '@berth/api'
import {
  askedSizes,
  BerthError,
  bandwidthChanges,
  type EntrypointSpec,
  type Instance,
  isSameSizes,
  ownSizes,
  type Pool,
  resolveSpec,
  type Sizes,
  sizeChange,
  sizesOf,
} from '@berth/core'
import {
  type AwaitedApproval,
  askForApprovals,
  awaitedApprovals,
  groupProblems,
  wishText,
} from '../../groups/group-checks.ts'
import type { RecordTransaction } from '../../records/index.ts'
import { grantChange } from '../../schedule/grant-change.ts'
import { requestOf } from '../../schedule/request-of.ts'
import { hasEnded } from '../has-ended.ts'
import type { CallContext, ResizeInstanceArguments } from '../operations.ts'
import { requireInstance, requireLivePool, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { grantOf, isMore, refuseImpossible, wantedSizes } from './resize-checks.ts'

type Granted = Parameters<typeof grantOf>[0]

interface Resize {
  readonly instance: Instance
  readonly pool: Pool
  readonly spec: EntrypointSpec
  readonly before: Sizes
  readonly after: Sizes
  readonly problems: readonly string[]
  readonly awaited: readonly AwaitedApproval[]
}

/** Changes one instance where it is. There is no replacing it: another one would have what its entrypoint has. */
export async function resizeInstance(
  context: OperationsContext,
  args: ResizeInstanceArguments,
  call: CallContext,
): Promise<ResizeView> {
  const { books, records } = context
  if (args.dryRun) return tryOut(context, args, call.actor)
  let committed = false
  const decide = (tx: RecordTransaction): ResizeView => {
    books.restore([args.id])
    return write(tx, context, args, call.actor)
  }
  try {
    const { value } = await records.commit(call.actor, decide, call)
    committed = true
    return value
  } finally {
    if (!committed) books.restore([args.id])
  }
}

function write(
  tx: RecordTransaction,
  { state, books, now }: OperationsContext,
  args: ResizeInstanceArguments,
  actor: string,
): ResizeView {
  const resize = decideResize({ state, books }, args, actor)
  const { instance, pool, before, after, problems, awaited } = resize
  if (awaited.length > 0) {
    askForApprovals(tx, pool, awaited, { by: actor, at: now() })
    return viewOf(resize, instance)
  }
  if (problems.length > 0) throw new BerthError('resize.no-room', `resize ${args.id}: ${problems.join('; ')}`)
  if (isSameSizes(before, after) && (instance.sizedAlone === true) === !args.asWritten) return viewOf(resize, instance)
  const sizes = args.asWritten ? ownSizes(instance.entrypoint, pool) : after
  const entered = books.resize(instance, sizeChange(before, after), sizes)
  if (entered?.node === undefined) throw new BerthError('resize.no-room', `resize ${args.id}: ${noRoom(books, resize)}`)
  const { sizedAlone: _, ...rest } = entered
  const resized: Instance = args.asWritten ? rest : { ...rest, sizedAlone: true }
  const last = state.fences.get(entered.node)?.lastAddress
  const fence = { node: entered.node, ...(last === undefined ? {} : { lastAddress: last }), updatedAt: now() }
  tx.put('fences', fence, { ifUnchanged: true })
  tx.put('instances', resized, { ifUnchanged: true })
  const { app, name } = pool
  tx.event({
    type: 'instance.resized',
    subject: { app, pool: name, instance: instance.id, node: entered.node },
    message: `${instance.id} on ${entered.node}, alone: ${grantChange(instance, resized, bandwidthChanges(before, after))}`,
  })
  return viewOf(resize, resized)
}

function tryOut(context: OperationsContext, args: ResizeInstanceArguments, actor: string): ResizeView {
  const resize = decideResize(context, args, actor)
  const { instance, before, after } = resize
  const refusal = context.books.resizeRefusal(instance, sizeChange(before, after))
  const decision = context.books.books.tryResize(instance.id, sizeChange(before, after))
  if (refusal === undefined && decision.placed) return viewOf(resize, decision.booking)
  const problems = [...resize.problems, refusal?.message ?? 'it has no place']
  return viewOf({ ...resize, problems }, instance)
}

function decideResize(
  { state, books }: Pick<OperationsContext, 'state' | 'books'>,
  args: ResizeInstanceArguments,
  actor: string,
): Resize {
  const instance = requireInstance(state, args.id)
  const pool = requireLivePool(state, instance.app, instance.pool)
  if (instance.node === undefined || instance.desired !== 'run' || hasEnded(state, instance))
    throw new BerthError(
      'instance.not-running',
      `resize ${args.id}: it does not run (${instance.unplaced ?? instance.stopReason ?? 'it has ended'})`,
    )
  const release = requireRelease(state, instance.app, instance.release)
  const whole = resolveSpec(release.spec, pool.environment)
  const spec = whole.entrypoints[instance.entrypoint]
  if (spec === undefined)
    throw new BerthError('entrypoint.not-found', `resize ${args.id}: ${release.id} has no ${instance.entrypoint}`)
  const wanted = wantedSizes(args.id, args)
  const before = askedSizes(instance, spec)
  const after = args.asWritten ? sizesOf(instance.entrypoint, spec, pool) : { ...before, ...wanted }
  const { cpuMilli, memoryBytes } = wanted
  const request = {
    ...requestOf(instance, spec, pool),
    ...(cpuMilli === undefined ? {} : { cpuMilli }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  }
  refuseImpossible({ state, books }, args.id, spec, pool, wanted, request)
  const own = { ...whole, entrypoints: { [instance.entrypoint]: sized(spec, after) } }
  return {
    ...{ instance, pool, spec, before, after },
    problems: isMore(before, after) ? groupProblems(state, pool, own, actor) : [],
    awaited: isMore(before, after) ? awaitedApprovals(state, pool, own) : [],
  }
}

const sized = (spec: EntrypointSpec, { cpuMilli, memoryBytes }: Sizes): EntrypointSpec => ({
  ...spec,
  resources: {
    ...spec.resources,
    ...(cpuMilli === undefined ? {} : { cpuMilli }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  },
})

const noRoom = (books: OperationsContext['books'], { instance, before, after }: Resize): string =>
  `${books.resizeRefusal(instance, sizeChange(before, after))?.message ?? 'its node has no room'}; resize its entrypoint (berth resize ${instance.app}/${instance.entrypoint}@${instance.pool}), which replaces what has no room, or free some`

function viewOf({ instance, spec, before, after, problems, awaited, pool }: Resize, then: Granted): ResizeView {
  const { app, pool: poolName, entrypoint, ordinal, id, node } = instance
  const isSame = isSameSizes(before, after)
  const how = problems.length > 0 ? 'nowhere' : awaited.length > 0 ? 'stays' : isSame ? 'unchanged' : 'in-place'
  return {
    ...{ app, pool: poolName, entrypoint, before, after, written: askedSizes({}, spec), changes: !isSame },
    instances: [
      {
        ...{ instance: id, name: `${entrypoint}-${ordinal}`, how, before: grantOf(instance) },
        ...(node === undefined ? {} : { node }),
        ...(how === 'in-place' ? { after: grantOf(then) } : {}),
        ...(problems.length === 0 ? {} : { reason: problems.join('; ') }),
      },
    ],
    problems: [...problems],
    ...(awaited.length === 0
      ? {}
      : { awaits: `${awaited.map((each) => wishText(pool, each)).join('; ')}; then resize it again` }),
  }
}
