import type { Books } from './books.ts'
import type { InstanceRequest } from './instance-request.ts'

export interface RebalanceOptions {
  /** At most so many moves. */
  readonly moves: number
  /** A move has to make the fuller of its two nodes less full by so much, in thousandths of it; default 100. */
  readonly thresholdMilli?: number
  /** What an instance asks of its next node; undefined: it stays where it is. */
  readonly requestOf: (instance: string) => InstanceRequest | undefined
}

export interface Move {
  readonly instance: string
  readonly from: string
  readonly to: string
}

/** Of a node's instances so many are tried: the largest that may move. */
const tried = 8

/**
 * Moves from the fullest nodes to where there is more room, as long as each makes the cluster more even by more than a threshold, so
 * that it ends and never undoes itself. Enters them into the books: call it on a clone.
 */
export function rebalance(books: Books, options: RebalanceOptions): Move[] {
  const moves: Move[] = []
  const stuck = new Set<string>()
  while (moves.length < options.moves) {
    const from = fullest(books, stuck)
    if (from === undefined) break
    const move = bestMove(books, from, options)
    if (move === undefined) stuck.add(from)
    else moves.push(move)
  }
  return moves
}

function fullest(books: Books, stuck: ReadonlySet<string>): string | undefined {
  let best: string | undefined
  let most = 0
  for (const name of books.nodeNames()) {
    const used = books.fullness(name)
    if (used <= most || stuck.has(name)) continue
    best = name
    most = used
  }
  return best
}

function bestMove(books: Books, from: string, { requestOf, thresholdMilli = 100 }: RebalanceOptions): Move | undefined {
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
    if (to !== from && before - after > thresholdMilli / 1000) return { instance, from, to }
    books.claim(instance, request, booking)
  }
  return undefined
}
