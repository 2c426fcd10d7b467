import type { Books, InstanceRequest } from '@berth/core'
import { displace } from '../../schedule/displace.ts'
import { bookingOfRecord } from '../../schedule/request-of.ts'
import type { OperationsContext } from './operations-context.ts'

/** Who would have to leave for what is planned, on books that are imagined. */
export class PlannedVictims {
  readonly #context: OperationsContext
  readonly #books: Books
  readonly #nodes = new Map<string, string>()

  constructor(context: OperationsContext, books: Books) {
    this.#context = context
    this.#books = books
  }

  list(): { readonly instance: string; readonly node: string }[] {
    return [...this.#nodes].map(([instance, node]) => ({ instance, node }))
  }

  /** Enters it where others leave for it; its node, or undefined. */
  displace(id: string, request: InstanceRequest): string | undefined {
    const { state, books: live } = this.#context
    const books = this.#books
    const leaving = new Set([...live.displacements.victims(), ...this.#nodes.keys()])
    const requestOf = (each: string): InstanceRequest | undefined => {
      const instance = state.instances.get(each)
      return instance === undefined ? undefined : live.requestFor(instance)
    }
    const found = displace(books, id, request, {
      ...{ leaving, requestOf },
      rules: live.victimRules(new Set(this.#nodes.keys())),
      restore: (each) => {
        const instance = state.instances.get(each)
        if (instance?.node === undefined) return
        const booking = bookingOfRecord(instance, instance.node, state.statuses.get(each))
        books.claim(each, live.requestFor(instance), booking)
      },
    })
    for (const victim of found?.waitsFor ?? [])
      if (live.displacements.displacerOf(victim) === undefined) this.#nodes.set(victim, found?.booking.node ?? '')
    return found?.booking.node
  }
}
