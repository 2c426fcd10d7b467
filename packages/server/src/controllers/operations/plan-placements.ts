import type { PlacementView, SavedPlan } from '@berth/api'
import { type AppSpec, type Books, type Instance, type Pool, planReplacement, rolloutLimits } from '@berth/core'
import { groupOf, requestOf } from '../../schedule/request-of.ts'
import { hasEnded } from '../has-ended.ts'
import type { OperationsContext } from './operations-context.ts'

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
}

/** Goes through the rollout of every service on the books; jobs go on beside it. */
export function planPlacements({ state }: OperationsContext, books: Books, planned: Planned): PlacementPlan {
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
    const result = replace(books, planned, pool, name, wanted, own, kept)
    if (result === undefined) continue
    const { nodes, missing, refusal } = result
    slots[name] = [...kept.slice(0, wanted).map((each) => each.node ?? ''), ...nodes]
    placements.push({ entrypoint: name, nodes: countByNode(nodes), missing })
    if (missing > 0) problems.push(`${name}: ${missing} of ${wanted} find no place: ${refusal ?? 'no node has room'}`)
  }
  return { placements, problems, slots }
}

function replace(
  books: Books,
  { app, pool: poolName, spec }: Planned,
  pool: Pool | undefined,
  name: string,
  wanted: number,
  own: readonly Instance[],
  kept: readonly Instance[],
) {
  const entrypoint = spec.entrypoints[name]
  if (entrypoint === undefined) return undefined
  const subject = { app, pool: poolName, entrypoint: name, type: 'service' } as const
  return planReplacement(books, {
    request: requestOf(subject, entrypoint, groupOf(pool)),
    wanted,
    kept: kept.map((each) => each.id),
    old: own.filter((each) => !kept.includes(each)).map((each) => each.id),
    ...rolloutLimits(spec.rollout, wanted),
  })
}

function countByNode(nodes: readonly string[]): PlacementView['nodes'] {
  const counts = new Map<string, number>()
  for (const node of nodes) counts.set(node, (counts.get(node) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, count]) => ({ node, count }))
}
