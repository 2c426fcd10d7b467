import { BerthError, type BerthEvent, type EventType } from '@berth/core'
import type { Compare, Operation, Transaction } from '../store/store.ts'
import { maxOperations } from '../store/store.ts'
import { encodeRecord } from './record-codec.ts'
import { keyOf, recordKinds } from './record-kinds.ts'
import type { RecordKind, RecordTypes } from './record-types.ts'
import type { State } from './state.ts'

/** `true`: refuse the commit unless the record is as the state has it at this moment. A number: as of that mod revision (0: absent). */
export interface WriteOptions {
  readonly ifUnchanged?: boolean | number
}

/** `actor`: who has reported it, where that is somebody else than who writes it. */
export type EventDraft = Pick<BerthEvent, 'subject' | 'message'> &
  Partial<Pick<BerthEvent, 'actor'>> & { readonly type: EventType }

/** What every commit of somebody depends on besides what it writes: a term of this server. */
export interface CommitGuard {
  /** Costs one of a transaction's compares. */
  readonly compare: Compare
  /** Throws when nothing may be committed any more. */
  check(): void
}

/** Where the transaction gets what it may not make up itself. */
export interface TransactionContext {
  readonly state: State
  readonly now: () => number
  readonly nextEventId: (at: number) => string
  readonly guard?: CommitGuard
}

/**
 * Gathers writes of records for one commit of at most 100 operations and as many compares. A person's change carries an event, so that
 * nothing is ever written without its actor being known; only the system itself and nodes, which report, may go without.
 */
export class RecordTransaction {
  readonly actor: string
  readonly #context: TransactionContext
  readonly #compares = new Map<string, Compare>()
  readonly #operations = new Map<string, Operation>()
  #events = 0
  #characters = 0

  constructor(actor: string, context: TransactionContext) {
    this.actor = actor
    this.#context = context
    const compare = context.guard?.compare
    if (compare !== undefined) this.#compares.set(compare.key, compare)
  }

  /** Refuses the commit when a record of this id exists. */
  create<K extends RecordKind>(kind: K, record: RecordTypes[K]): void {
    this.put(kind, record, { ifUnchanged: 0 })
  }

  /** Without `ifUnchanged` it overwrites whatever is there. */
  put<K extends RecordKind>(kind: K, record: RecordTypes[K], options: WriteOptions = {}): void {
    const id = recordKinds[kind].idOf(record)
    const key = keyOf(kind, id)
    this.#compareFor(kind, id, options)
    this.#add({ type: 'put', key, value: encodeRecord(kind, record) })
  }

  delete(kind: RecordKind, id: string, options: WriteOptions = {}): void {
    this.#compareFor(kind, id, options)
    this.#add({ type: 'delete', key: keyOf(kind, id) })
  }

  /** Refuses the commit when this record has changed, without writing it. */
  require(kind: RecordKind, id: string, options: WriteOptions = { ifUnchanged: true }): void {
    this.#compareFor(kind, id, options)
  }

  event(draft: EventDraft): void {
    const at = this.#context.now()
    this.#events += 1
    this.put('events', { id: this.#context.nextEventId(at), at, actor: this.actor, ...draft })
  }

  get isEmpty(): boolean {
    return this.#operations.size === 0
  }

  /** Operations or compares so far, whichever are more; a transaction takes at most `maxOperations` of each. */
  get size(): number {
    return Math.max(this.#operations.size, this.#compares.size)
  }

  /** Of all that is written; at most as many as its bytes. */
  get characters(): number {
    return this.#characters
  }

  /** Throws `record.too-many` or `record.no-event`, both mistakes of the program, and what the guard throws. */
  build(): Transaction {
    this.#context.guard?.check()
    if (this.size > maxOperations) {
      throw new BerthError(
        'record.too-many',
        `a transaction of ${this.actor} has ${this.size} operations or compares, at most ${maxOperations} of each fit; split it`,
      )
    }
    if (this.#events === 0 && !this.isEmpty && isPerson(this.actor)) {
      throw new BerthError(
        'record.no-event',
        `a transaction of ${this.actor} writes records without an event that says so`,
      )
    }
    return { compare: [...this.#compares.values()], operations: [...this.#operations.values()] }
  }

  #compareFor(kind: RecordKind, id: string, { ifUnchanged = false }: WriteOptions): void {
    if (ifUnchanged === false) return
    const key = keyOf(kind, id)
    const modRevision = ifUnchanged === true ? this.#context.state[kind].modRevision(id) : ifUnchanged
    this.#compares.set(key, { key, modRevision })
  }

  /** A key is written at most once in a transaction: the last word counts. */
  #add(operation: Exclude<Operation, { type: 'delete-prefix' }>): void {
    this.#operations.delete(operation.key)
    if (operation.type === 'put') this.#characters += operation.value.length
    this.#operations.set(operation.key, operation)
  }
}

/** Neither `system`, `system:pools` nor `node:a`: somebody who decides. */
const isPerson = (actor: string): boolean => !/^(system|node)(:|$)/.test(actor)
