import type { PlacementView, SavedPlan } from '@berth/api'
import {
  type AppSpec,
  type Books,
  type Instance,
  limitsFor,
  type Pool,
  planReplacement,
  type Replacement,
  rolloutLimits,
} from '@berth/core'
import type { PlannedLoans } from '../../schedule/loans.ts'
import { groupOf, requestOf } from '../../schedule/request-of.ts'
import { hasEnded } from '../has-ended.ts'
import type { OperationsContext } from './operations-context.ts'
import { PlannedVictims } from './planned-victims.ts'

export interface PlacementPlan {
  readonly placements: readonly PlacementView[]
  /** What finds no node is said as the scheduler says it. */
  readonly problems: readonly string[]
  /** Node of each instance that will be, those that stay among them. */
  readonly slots: SavedPlan['slots']
}

interface Planned {
  readonly app: string
  readonly pool: string
  readonly spec: AppSpec
  readonly wanted: Readonly<Record<string, number>>
  /** Instances of the pool's release stay. */
  readonly same: boolean
  readonly loans: PlannedLoans
}

/** Of a rollout that was gone through to its end; undefined: it was not. */
export function placementsOf(
  slots: Readonly<Record<string, readonly string[]>> | undefined,
  wanted: Readonly<Record<string, number>>,
): PlacementPlan | undefined {
  if (slots === undefined) return undefined
  const own = Object.keys(wanted).map((name): [string, string[]] => [name, [...(slots[name] ?? [])]])
  const placements = own.map(([entrypoint, nodes]) => ({ entrypoint, nodes: countByNode(nodes), missing: 0 }))
  return { placements, problems: [], slots: Object.fromEntries(own) }
}

/** Goes through the rollout of every service on the books; jobs go on beside it. */
export function planPlacements(context: OperationsContext, books: Books, planned: Planned): PlacementPlan {
  const { state } = context
  const pool = state.pools.find(planned.app, planned.pool)
  const placements: PlacementView[] = []
  const problems: string[] = []
  const slots: Record<string, string[]> = {}
  const services = state.instances
    .byPool(planned.app, planned.pool)
    .filter((each) => each.type === 'service' && each.desired === 'run' && !hasEnded(state, each))
    .filter((each) => books.booking(each.id) !== undefined)
    .sort((a, b) => a.ordinal - b.ordinal)
  for (const [name, wanted] of Object.entries(planned.wanted)) {
    const own = services.filter((each) => each.entrypoint === name)
    const kept = planned.same ? own.filter((each) => each.generation === pool?.generation) : []
    const victims = new PlannedVictims(context, books)
    const result = replace(books, planned, pool, name, wanted, own, kept, victims)
    if (result === undefined) continue
    const { nodes, missing, refusal } = allOrNone(planned, name, own, result)
    slots[name] = [...kept.slice(0, wanted).map((each) => each.node ?? ''), ...nodes]
    const displaces = victims.list()
    placements.push({
      ...{ entrypoint: name, nodes: countByNode(nodes), missing },
      ...(displaces.length === 0 ? {} : { displaces }),
    })
    if (missing > 0) problems.push(`${name}: ${missing} of ${wanted} find no place: ${refusal ?? 'no node has room'}`)
  }
  return { placements, problems, slots }
}

function replace(
  books: Books,
  { app, pool: poolName, spec, loans }: Planned,
  pool: Pool | undefined,
  name: string,
  wanted: number,
  own: readonly Instance[],
  kept: readonly Instance[],
  victims: PlannedVictims,
) {
  const entrypoint = spec.entrypoints[name]
  if (entrypoint === undefined) return undefined
  const subject = { app, pool: poolName, entrypoint: name, type: 'service' } as const
  const request = requestOf(subject, entrypoint, groupOf(pool))
  const mayDisplace = entrypoint.preempt === true && entrypoint.gang !== true
  return planReplacement(books, {
    request,
    help: (id, refusal) => loans(id, request, refusal),
    ...(mayDisplace ? { displace: (id) => victims.displace(id, request) } : {}),
    wanted,
    kept: kept.map((each) => each.id),
    old: own.filter((each) => !kept.includes(each)).map((each) => each.id),
    ...rolloutLimits(limitsFor(spec.rollout, entrypoint), wanted),
  })
}

/** Of a gang that is new nothing has a place while one has none. */
function allOrNone({ spec }: Planned, name: string, own: readonly Instance[], result: Replacement): Replacement {
  if (spec.entrypoints[name]?.gang !== true || result.missing === 0 || own.length > 0) return result
  const all = result.nodes.length + result.missing
  const refusal = `all ${all} or none: ${result.nodes.length} would find a place, then ${result.refusal ?? 'no more'}`
  return { nodes: [], missing: all, refusal }
}

function countByNode(nodes: readonly string[]): PlacementView['nodes'] {
  const counts = new Map<string, number>()
  for (const node of nodes) counts.set(node, (counts.get(node) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, count]) => ({ node, count }))
}
