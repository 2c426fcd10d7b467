import type { PlacementView, PlanView } from '@berth/api'
import {
  type AppSpec,
  type Books,
  type EntrypointSpec,
  type Instance,
  isSystem,
  nodeGroupOf,
  type Pool,
  rolloutLimits,
  servingRange,
  systemPlaces,
} from '@berth/core'
import type { PlannedLoans } from '../../schedule/loans.ts'
import { groupOf, requestOf } from '../../schedule/request-of.ts'
import { clusterNodes } from '../pool-view.ts'
import type { OperationsContext } from './operations-context.ts'

type EntrypointChange = PlanView['entrypoints'][number]

export interface SystemPlan {
  readonly entrypoints: readonly EntrypointChange[]
  readonly placements: readonly PlacementView[]
  /** Nodes on which there is no room, as the scheduler says it. */
  readonly problems: readonly string[]
}

interface Planned {
  readonly app: string
  readonly pool: string
  readonly spec: AppSpec
  /** Instances of the pool's release stay. */
  readonly same: boolean
  /** Nodes that are thought away. */
  readonly without: readonly string[]
  readonly loans: PlannedLoans
}

/** What becomes of services that run on every node: as many as there are nodes that match, each on its own. */
export function planSystem(context: OperationsContext, books: Books, planned: Planned): SystemPlan {
  const pool = context.state.pools.find(planned.app, planned.pool)
  const names = Object.keys(planned.spec.entrypoints).filter((name) => isSystem(planned.spec.entrypoints[name]!))
  const plans = names.sort().map((name) => planOne(context, books, planned, pool, name))
  return {
    entrypoints: plans.map((each) => each.change),
    placements: plans.map((each) => each.placement),
    problems: plans.flatMap((each) => each.problems),
  }
}

interface OnePlan {
  readonly change: EntrypointChange
  readonly placement: PlacementView
  readonly problems: readonly string[]
}

function planOne(
  context: OperationsContext,
  books: Books,
  planned: Planned,
  pool: Pool | undefined,
  name: string,
): OnePlan {
  const spec = planned.spec.entrypoints[name]!
  const places = placesOf(context, planned, spec, pool)
  const own = context.state.instances
    .byPool(planned.app, planned.pool)
    .filter((each) => each.entrypoint === name && each.type === 'service' && each.desired === 'run')
  const stays = (each: Instance): boolean => planned.same && each.generation === pool?.generation
  const fresh = without(
    places,
    own.filter(stays).map((each) => each.node ?? ''),
  )
  // Where the old one may leave first, its room is the new one's.
  if (rolloutLimits(planned.spec.rollout, places.length).unavailable > 0)
    for (const each of own) if (!stays(each)) books.release(each.id)
  const subject = { app: planned.app, pool: planned.pool, entrypoint: name, type: 'service' } as const
  const tried = fresh.map((node, index) => {
    const request = requestOf({ ...subject, pinnedTo: node }, spec, groupOf(pool))
    const id = `planned ${name} ${index}`
    const decision = books.place(id, request)
    const helped = decision.placed ? undefined : planned.loans(id, request, decision.refusal)
    return { node, problem: decision.placed || helped !== undefined ? undefined : decision.refusal.message }
  })
  const placed = tried.filter(({ problem }) => problem === undefined)
  return {
    change: changeOf(name, places.length, own.length, fresh.length, planned.spec.rollout),
    placement: {
      entrypoint: name,
      nodes: placed.map(({ node }) => ({ node, count: 1 })),
      missing: tried.length - placed.length,
    },
    problems: tried.flatMap(({ node, problem }) =>
      problem === undefined ? [] : [`${name}: no place on ${node}: ${problem}`],
    ),
  }
}

/** Each node as often as it is to have one. */
function placesOf(
  context: OperationsContext,
  { without: thoughtAway }: Planned,
  spec: EntrypointSpec,
  pool: Pool | undefined,
): string[] {
  const nodes = clusterNodes(context).filter((node) => !thoughtAway.includes(node.name))
  const { open, perNode } = systemPlaces(spec, nodeGroupOf(spec, pool ?? {}), nodes)
  return open.flatMap((node) => Array<string>(perNode).fill(node))
}

/** One of the first for each of the second is left out. */
function without(all: readonly string[], some: readonly string[]): string[] {
  const left = [...all]
  for (const each of some) {
    const at = left.indexOf(each)
    if (at >= 0) left.splice(at, 1)
  }
  return left
}

function changeOf(
  name: string,
  next: number,
  now: number,
  fresh: number,
  rollout: AppSpec['rollout'],
): EntrypointChange {
  const unchanged = next - fresh
  const create = Math.max(0, next - now)
  const counts = { create, replace: fresh - create, destroy: Math.max(0, now - next), unchanged }
  const serving = servingRange(now, next, counts.replace, rollout)
  return { name, action: actionOf(counts, now, next), ...counts, serving }
}

export function actionOf(
  counts: Pick<EntrypointChange, 'create' | 'replace' | 'destroy'>,
  now: number,
  next: number,
): EntrypointChange['action'] {
  if (counts.create + counts.destroy + counts.replace === 0) return 'unchanged'
  if (now === 0) return 'create'
  return next === 0 ? 'destroy' : 'update'
}
