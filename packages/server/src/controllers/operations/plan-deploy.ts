import type { PlanView } from '@berth/api'
import {
  type AppSpec,
  BerthError,
  countsForSpec,
  diffSpecs,
  isSystem,
  limitsFor,
  type Pool,
  resolveSpec,
  rolloutLimits,
  serviceNames,
  servingRange,
  shortCommit,
  sizedSpec,
  sizesForSpec,
} from '@berth/core'
import { awaitedApprovals, groupProblems, quotaProblems, wishText } from '../../groups/group-checks.ts'
import { imagine, isHypothetical } from '../../schedule/hypothesis.ts'
import type { CallContext, PlanArguments } from '../operations.ts'
import { checkEnvironment, problemsOf } from './check-release.ts'
import { requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { type PlacementPlan, placementsOf, planPlacements } from './plan-placements.ts'
import { planRehearsal } from './plan-rehearsal.ts'
import { planProcedure } from './plan-stages.ts'
import { actionOf, planSystem } from './plan-system.ts'
import { withPlanned } from './reckon-rollout.ts'
import { stageProblems } from './stage-problems.ts'

interface Target {
  /** `v7`, or the commit that would become the next release. */
  readonly name: string
  readonly spec: AppSpec
  /** Absent: the commit has not been built. */
  readonly release?: string
  /** It is what runs now, so that only counts can change. */
  readonly same: boolean
}

/** What a deploy would change: the spec's difference, instances by entrypoint, and what would keep it from working. */
export async function planDeploy(
  context: OperationsContext,
  args: PlanArguments,
  call: CallContext,
): Promise<PlanView> {
  const { state } = context
  const pool = state.pools.find(args.app, args.pool)
  const running = pool?.release === undefined ? undefined : state.releases.find(args.app, pool.release)
  const target = await targetOf(context, args, pool, call)
  checkEnvironment(target.spec, args.pool, context.defaultPool)
  const environment = pool?.environment ?? args.pool
  const before = running === undefined ? undefined : resolveSpec(running.spec, environment)
  const written = resolveSpec(target.spec, environment)
  const sizes = sizesForSpec(pool?.sizes, written)
  const after = sizedSpec(written, sizes)
  const wanted = wantedCounts(pool, after, args.replicas)
  const counts = withPlanned(countsForSpec(pool?.replicas ?? {}, after), wanted)
  const rehearsal = target.same
    ? undefined
    : planRehearsal(context, imagine(context.books.books, state, args), {
        ...{ app: args.app, pool: args.pool, release: target.release ?? target.name, spec: written },
        ...{ replicas: counts, without: args.without ?? [] },
      })
  const books = imagine(context.books.books, state, args)
  const loans = context.books.loans.planner(books)
  const { app, pool: poolName } = args
  const where = { app, name: poolName, ...(pool?.group === undefined ? {} : { group: pool.group }) }
  const system = planSystem(context, books, {
    ...{ app, pool: poolName, spec: after, same: target.same, without: args.without ?? [], loans },
  })
  const entrypoints = [...entrypointChanges(pool, before, after, wanted, target.same), ...system.entrypoints].sort(
    (a, b) => (a.name < b.name ? -1 : 1),
  )
  const placement =
    placementsOf(rehearsal?.slots, wanted) ??
    planPlacements(context, books, {
      ...{ app, pool: poolName, spec: after, wanted, same: target.same, loans },
    })
  const diff = diffSpecs(before, written)
  const changes = diff.length > 0 || entrypoints.some((each) => each.action !== 'unchanged')
  return {
    app: args.app,
    pool: args.pool,
    ...(running === undefined ? {} : { from: running.id }),
    to: target.name,
    changes,
    entrypoints,
    diff: [...diff],
    problems: [
      ...problemsOf(state, target.spec, args.app, args.pool, environment),
      ...(target.same ? [] : stageProblems(state, after)),
      ...groupProblems(state, where, after, call.actor),
      ...quotaProblems(state, where, after, countsOf(wanted)),
      ...placement.problems,
      ...system.problems,
    ],
    steps: [
      ...awaitedApprovals(state, where, after).map((wish) => `wait for approval: ${wishText(where, wish)}`),
      ...stepsOf(after, entrypoints),
    ],
    placements: [...placement.placements, ...system.placements],
    ...(rehearsal === undefined ? {} : { rehearsal: rehearsal.view }),
    ...planProcedure(state, pool, { app, pool: poolName, spec: after, wanted, same: target.same }, context.now()),
    ...savedPlan(context, args, target, wanted, placement),
  }
}

async function targetOf(
  context: OperationsContext,
  args: PlanArguments,
  pool: Pool | undefined,
  call: CallContext,
): Promise<Target> {
  const { state, specs } = context
  const running = pool?.release
  const named = args.release ?? (args.ref === undefined && args.repository === undefined ? running : undefined)
  if (named !== undefined) {
    const release = requireRelease(state, args.app, named)
    return { name: release.id, release: release.id, spec: release.spec, same: release.id === running }
  }
  const app = state.apps.get(args.app)
  const repository = args.repository ?? app?.repository
  if (repository === undefined) {
    throw new BerthError('app.no-source', `plan ${args.app}: no repository is known; give one with --repository URL`)
  }
  const source = { app: args.app, repository, vcs: args.vcs ?? app?.vcs ?? 'git', ref: args.ref ?? 'HEAD' }
  const { commit, spec } = await specs.readSpec(source, call)
  const current = running === undefined ? undefined : state.releases.find(args.app, running)
  const built = state.releases.byApp(args.app).findLast((each) => each.commit === commit)
  const same = current?.commit === commit
  const release = same ? running : built?.id
  return { name: shortCommit(commit), spec, same, ...(release === undefined ? {} : { release }) }
}

function wantedCounts(
  pool: Pool | undefined,
  spec: AppSpec,
  overrides: PlanArguments['replicas'],
): Record<string, number> {
  const counts = countsForSpec(pool?.replicas ?? {}, spec)
  for (const name of Object.keys(overrides ?? {})) {
    if (counts[name] === undefined)
      throw new BerthError(
        'entrypoint.not-found',
        `plan ${spec.app}: no service entrypoint ${name}; there are ${Object.keys(counts).join(', ')}`,
      )
  }
  // What runs on every node keeps a count of before for the way back, and has none of its own.
  const counted = Object.entries(counts).filter(([name]) => !isSystem(spec.entrypoints[name]!))
  return Object.fromEntries(counted.map(([name, each]) => [name, overrides?.[name] ?? each.count]))
}

const countsOf = (wanted: Readonly<Record<string, number>>): Record<string, { readonly count: number }> =>
  Object.fromEntries(Object.entries(wanted).map(([name, count]) => [name, { count }]))

type EntrypointChange = PlanView['entrypoints'][number]

function entrypointChanges(
  pool: Pool | undefined,
  before: AppSpec | undefined,
  after: AppSpec,
  wanted: Readonly<Record<string, number>>,
  same: boolean,
): EntrypointChange[] {
  const isCounted = (name: string): boolean =>
    after.entrypoints[name] === undefined || !isSystem(after.entrypoints[name])
  const names = [...new Set([...serviceNames(before), ...serviceNames(after)])].filter(isCounted)
  return names.map((name) => {
    const now = serviceNames(before).includes(name) ? (pool?.replicas[name]?.count ?? 0) : 0
    const next = wanted[name] ?? 0
    const kept = Math.min(now, next)
    const counts = {
      create: Math.max(0, next - now),
      destroy: Math.max(0, now - next),
      replace: same ? 0 : kept,
      unchanged: same ? kept : 0,
    }
    const serving = servingRange(now, next, counts.replace, limitsFor(after.rollout, after.entrypoints[name]))
    return { name, action: actionOf(counts, now, next), ...counts, serving }
  })
}

/** Undefined parts say why there is nothing to hand over to `applyPlan`. */
function savedPlan(
  { state, now, books }: OperationsContext,
  args: PlanArguments,
  target: Target,
  wanted: Readonly<Record<string, number>>,
  plan: PlacementPlan,
): Pick<PlanView, 'saved' | 'unsaved'> {
  if (isHypothetical(args)) return { unsaved: 'some of its nodes are imagined' }
  if (target.release === undefined)
    return { unsaved: `commit ${target.name} is not built yet: berth build ${args.app}, then plan the release` }
  if (plan.problems.length > 0) return { unsaved: 'not everything finds a place' }
  const used = [...new Set(Object.values(plan.slots).flat())]
  return {
    saved: {
      app: args.app,
      pool: args.pool,
      release: target.release,
      generation: state.pools.find(args.app, args.pool)?.generation ?? 0,
      replicas: { ...wanted },
      slots: plan.slots,
      digests: Object.fromEntries(used.map((node) => [node, books.books.nodeDigest(node) ?? ''])),
      plannedAt: now(),
    },
  }
}

function stepsOf(spec: AppSpec, entrypoints: readonly EntrypointChange[]): string[] {
  const steps = spec.rollout.before.map((job) => `run ${job} to its end`)
  for (const { name, create, replace, destroy, unchanged } of entrypoints) {
    const { surge, unavailable } = rolloutLimits(
      limitsFor(spec.rollout, spec.entrypoints[name]),
      create + replace + unchanged,
    )
    if (replace > 0)
      steps.push(`replace ${replace} of ${name}, at most ${surge} more and ${unavailable} fewer than wanted at a time`)
    if (create > 0) steps.push(`create ${create} of ${name}`)
    if (destroy > 0) steps.push(`drain and remove ${destroy} of ${name}`)
  }
  return steps
}
