import type { Booking, Books, InstanceRequest } from '@berth/core'
import { nameLabel } from './request-of.ts'
import type { VictimRules } from './victim-rules.ts'

export interface DisplaceOptions {
  readonly rules: VictimRules
  /** Those that others have displaced already: their room is seen as free by what is more important, and whoever gets some of it waits for them too. */
  readonly leaving: Iterable<string>
  readonly requestOf: (instance: string) => InstanceRequest | undefined
  /** Enters one again that was taken out to see what is free without it. */
  readonly restore: (instance: string) => void
}

export interface Displacement {
  readonly booking: Booking
  /** Those that have to leave first. */
  readonly waitsFor: readonly string[]
}

/**
 * Enters an instance where others of lower priority make room for it. They stay in the books as well until they have left: the node
 * counts as over-committed, so that nobody takes what becomes free there. First with victims whose successors serve elsewhere before
 * they leave, and where these find no place, with those that may simply be missing.
 */
export function displace(
  books: Books,
  id: string,
  request: InstanceRequest,
  options: DisplaceOptions,
): Displacement | undefined {
  const { requestOf } = options
  // What equals make room for is not for their own successors: these find it free later, or they would have left in vain.
  const leaving = [...options.leaving].filter((each) => (requestOf(each)?.priority ?? 0) < (request.priority ?? 0))
  for (const moving of [true, false]) {
    const found = tryDisplace(books, id, request, { ...options, leaving }, moving)
    if (found !== undefined) return found
  }
  return undefined
}

function tryDisplace(
  books: Books,
  id: string,
  request: InstanceRequest,
  { rules, leaving, requestOf, restore }: DisplaceOptions,
  moving: boolean,
): Displacement | undefined {
  const nodes = new Map([...leaving].flatMap((each) => nodeOf(books, each)))
  const out = [...nodes.keys()].filter((each) => books.release(each))
  const { booking, victims } = findPlace(books, id, request, rules, moving, out)
  for (const each of out) restore(each)
  if (booking === undefined) return undefined
  const waitsFor = [...victims, ...[...nodes].flatMap(([each, node]) => (node === booking.node ? [each] : []))]
  const fits = !moving || successorsFit(books, rules.needingSuccessors(victims), requestOf)
  if (fits && waitsFor.length > 0) return { booking, waitsFor }
  books.release(id)
  return undefined
}

const nodeOf = (books: Books, id: string): [string, string][] => {
  const node = books.booking(id)?.node
  return node === undefined ? [] : [[id, node]]
}

/** `out` gets those that were taken out of the books. */
function findPlace(
  books: Books,
  id: string,
  request: InstanceRequest,
  rules: VictimRules,
  moving: boolean,
  out: string[],
): { readonly booking?: Booking; readonly victims: readonly string[] } {
  const free = books.place(id, request)
  if (free.placed) return { booking: free.booking, victims: [] }
  const found = books.findVictims(request, rules.bounds(moving))
  if (found === undefined) return { victims: [] }
  for (const victim of found.victims) if (books.release(victim)) out.push(victim)
  const where = [...(request.where ?? []), `${nameLabel} = ${found.node}`]
  const decision = books.place(id, { ...request, where })
  return decision.placed ? { booking: decision.booking, victims: found.victims } : { victims: [] }
}

/** All of them at once, and not on the node that they leave: it is over-committed until they have left. */
function successorsFit(
  books: Books,
  victims: readonly string[],
  requestOf: (instance: string) => InstanceRequest | undefined,
): boolean {
  const placed: string[] = []
  const fits = victims.every((victim) => {
    const request = requestOf(victim)
    const name = `successor of ${victim}`
    if (request === undefined || !books.place(name, request).placed) return false
    placed.push(name)
    return true
  })
  for (const name of placed) books.release(name)
  return fits
}
