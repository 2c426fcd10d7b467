import type { Books } from './books.ts'
import type { Explanation, InstanceRequest } from './instance-request.ts'

export interface ReplacementGoal {
  readonly request: InstanceRequest
  readonly wanted: number
  /** Instances that may stay as they are: those of the wanted release. */
  readonly kept: readonly string[]
  /** Instances that have to leave, in the order in which they do. */
  readonly old: readonly string[]
  readonly surge: number
  readonly unavailable: number
  /** Enters one that was refused on a node where that can be helped without anybody leaving; undefined: nowhere. */
  readonly help?: (id: string, refusal: Explanation) => string | undefined
  /** Enters one for which there is no room where others leave for it; undefined: nowhere. */
  readonly displace?: (id: string) => string | undefined
}

export interface Replacement {
  /** The node of each new instance, in the order in which they are created. */
  readonly nodes: readonly string[]
  /** New instances that find no place, and why the first of them does not. */
  readonly missing: number
  readonly refusal?: string
}

/**
 * Goes through a replacement on the books as a rollout does it: new ones come within the surge, old ones leave as far as what serves
 * is enough. Everything is entered into the books, so several entrypoints are planned one after the other on a clone.
 */
export function planReplacement(books: Books, goal: ReplacementGoal): Replacement {
  const { wanted, surge, unavailable } = goal
  const old = [...goal.old]
  const surplus = goal.kept.slice(wanted)
  for (const id of surplus) books.release(id)
  const kept = goal.kept.length - surplus.length
  const nodes: string[] = []
  let refusal: string | undefined
  for (;;) {
    const up = kept + nodes.length
    const room = Math.min(wanted - up, wanted + surge - up - old.length)
    refusal = placeSome(books, goal, room, nodes)
    const serving = kept + nodes.length + old.length
    const spare = Math.min(old.length, serving - Math.max(0, wanted - unavailable))
    if (spare <= 0) break
    for (const id of old.splice(0, spare)) books.release(id)
  }
  const missing = wanted - kept - nodes.length
  return { nodes, missing, ...(missing === 0 || refusal === undefined ? {} : { refusal }) }
}

/** Why the first that found no place did not. */
function placeSome(books: Books, goal: ReplacementGoal, count: number, nodes: string[]): string | undefined {
  for (let placed = 0; placed < count; placed++) {
    const id = `planned ${goal.request.entrypoint} ${nodes.length}`
    const decision = books.place(id, goal.request)
    const node = decision.placed ? decision.booking.node : (goal.help?.(id, decision.refusal) ?? goal.displace?.(id))
    if (node === undefined) return decision.placed ? undefined : decision.refusal.message
    nodes.push(node)
  }
  return undefined
}
