import type { Books } from './books.ts'
import type { Booking, InstanceRequest } from './instance-request.ts'
import { planReplacement } from './plan-replacement.ts'
import type { NewSizes } from './resize.ts'

export interface ResizeGoal {
  /** With the new sizes. */
  readonly request: InstanceRequest
  /** Instances that are to change, in the order in which they do. */
  readonly due: readonly { readonly id: string; readonly sizes: NewSizes }[]
  /** Instances that have what they should. */
  readonly kept: readonly string[]
  readonly surge: number
  readonly unavailable: number
  /** They belong to their nodes: where there is no room they stay as they are. */
  readonly isPinned: boolean
}

export interface PlannedResize {
  readonly id: string
  readonly before: Booking
  /** `nowhere`: it cannot be changed where it is, and no other node has room for its successor. */
  readonly how: 'in-place' | 'replace' | 'stays' | 'nowhere'
  /** What it will have there. */
  readonly after?: Booking
  /** The node of its successor. */
  readonly node?: string
  /** Why it cannot be changed where it is. */
  readonly reason?: string
  /** Why there is no place for its successor. */
  readonly refusal?: string
}

/** What becomes of each instance of an entrypoint that gets new sizes. Everything is entered into the books: ask a clone. */
export function planResize(books: Books, goal: ResizeGoal): PlannedResize[] {
  const planned = goal.due.flatMap(({ id, sizes }): PlannedResize[] => {
    const before = books.booking(id)
    if (before === undefined) return []
    const decision = books.resize(id, sizes)
    if (decision.placed) return [{ id, before, how: 'in-place', after: decision.booking }]
    return [{ id, before, how: 'stays', reason: decision.refusal.message }]
  })
  const tight = planned.filter((each) => each.how === 'stays')
  if (goal.isPinned || tight.length === 0) return planned
  const kept = [...goal.kept, ...planned.filter((each) => each.how === 'in-place').map((each) => each.id)]
  const { nodes, refusal } = planReplacement(books, {
    ...{ request: goal.request, surge: goal.surge, unavailable: goal.unavailable },
    ...{ kept, old: tight.map((each) => each.id), wanted: kept.length + tight.length },
  })
  const places = [...nodes]
  return planned.map((each): PlannedResize => {
    if (each.how === 'in-place') return each
    const node = places.shift()
    if (node !== undefined) return { ...each, how: 'replace', node }
    return { ...each, how: 'nowhere', ...(refusal === undefined ? {} : { refusal }) }
  })
}
