import type { Books } from './books.ts'
import type { InstanceRequest } from './instance-request.ts'

export interface RebalanceOptions {
  /** At most so many moves. */
  readonly moves: number
  /** A move has to make the fuller of its two nodes less full by so much, in thousandths of it; default 100. */
  readonly thresholdMilli?: number
  /** What an instance asks of its next node; undefined: it stays where it is. */
  readonly requestOf: (instance: string) => InstanceRequest | undefined
  /** Nodes that something may leave; absent: all. */
  readonly isSource?: (node: string) => boolean
}

export interface Move {
  readonly instance: string
  readonly from: string
  readonly to: string
  /** How full the fuller of its two nodes is before and after it, 0 … 1. */
  readonly before: number
  readonly after: number
}

/** Of a node's instances so many are tried: the largest that may move. */
const tried = 8

/**
 * Moves from the fullest nodes to where there is more room, as long as each makes the cluster more even by more than a threshold, so
 * that it ends and never undoes itself. Enters them into the books: call it on a clone, or {@link proposeMoves}.
 */
export const rebalance = (books: Books, options: RebalanceOptions): Move[] => enterMoves(books, options, [])

/** The same, and leaves the books as they were. */
export function proposeMoves(books: Books, options: RebalanceOptions): Move[] {
  const undo: (() => void)[] = []
  const moves = enterMoves(books, options, undo)
  for (const each of undo.reverse()) each()
  return moves
}

function enterMoves(books: Books, options: RebalanceOptions, undo: (() => void)[]): Move[] {
  const moves: Move[] = []
  const stuck = new Set<string>()
  while (moves.length < options.moves) {
    const from = fullest(books, stuck, options)
    if (from === undefined) break
    const move = bestMove(books, from, options, undo)
    if (move === undefined) stuck.add(from)
    else moves.push(move)
  }
  return moves
}

function fullest(books: Books, stuck: ReadonlySet<string>, { isSource }: RebalanceOptions): string | undefined {
  let best: string | undefined
  let most = 0
  for (const name of books.nodeNames()) {
    const used = books.fullness(name)
    if (used <= most || stuck.has(name) || isSource?.(name) === false) continue
    best = name
    most = used
  }
  return best
}

function bestMove(
  books: Books,
  from: string,
  { requestOf, thresholdMilli = 100 }: RebalanceOptions,
  undo: (() => void)[],
): Move | undefined {
  const before = books.fullness(from)
  const candidates = books
    .instancesOn(from)
    .flatMap((instance) => {
      const request = requestOf(instance)
      const booking = books.booking(instance)
      return request === undefined || booking === undefined ? [] : [{ instance, request, booking }]
    })
    .sort((a, b) => b.booking.reservedCpuMilli - a.booking.reservedCpuMilli || (a.instance < b.instance ? -1 : 1))
  for (const { instance, request, booking } of candidates.slice(0, tried)) {
    books.release(instance)
    const decision = books.place(instance, request)
    const to = decision.placed ? decision.booking.node : from
    const after = Math.max(books.fullness(from), books.fullness(to))
    const back = (): void => books.claim(instance, request, booking)
    if (to !== from && before - after > thresholdMilli / 1000) {
      undo.push(back)
      return { instance, from, to, before, after }
    }
    back()
  }
  return undefined
}
