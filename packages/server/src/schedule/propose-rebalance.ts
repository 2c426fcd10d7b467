import { hasLocalData, type Instance, isHeld, keepsAddresses, type Move, placementOf, proposeMoves } from '@berth/core'
import type { State } from '../records/index.ts'
import type { LiveBooks } from './live-books.ts'
import { specOfInstance } from './spec-of-instance.ts'

export interface RebalanceContext {
  readonly state: State
  readonly books: LiveBooks
  readonly isOnline: (node: string) => boolean
}

/** Moves that make a group's nodes more evenly full, the most useful first. Changes nothing. */
export function proposeRebalance(context: RebalanceContext, group: string, moves: number): Move[] {
  const { state, books } = context
  return proposeMoves(books.books, {
    moves,
    isSource: (node) => groupOf(state, node) === group && context.isOnline(node),
    requestOf: (id) => {
      const instance = state.instances.get(id)
      return instance === undefined || !mayMove(context, instance) ? undefined : books.requestFor(instance)
    },
  })
}

/** A service that serves, of a pool that is at rest, and whose data does not stay behind. */
function mayMove({ state, books, isOnline }: RebalanceContext, instance: Instance): boolean {
  const pool = state.pools.find(instance.app, instance.pool)
  const spec = specOfInstance(state, instance)
  if (pool === undefined || spec === undefined || pool.rollout !== undefined || pool.removing === true) return false
  if (instance.type === 'job' || instance.desired !== 'run' || instance.pinnedTo !== undefined) return false
  if (instance.generation !== pool.generation || isHeld(instance, pool)) return false
  if (books.displacements.displacerOf(instance.id) !== undefined || instance.node === undefined) return false
  if (hasLocalData(spec) || placementOf(spec).reschedule === 'never') return false
  // It would be away while it moves.
  if (keepsAddresses(spec)) return false
  return state.statuses.field(instance.id, 'ready') === true && isOnline(instance.node)
}

export const groupOf = (state: State, node: string): string | undefined => {
  const found = state.nodes.get(node)
  return found === undefined ? undefined : (found.group ?? 'default')
}
