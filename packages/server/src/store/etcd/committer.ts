import { randomBytes } from 'node:crypto'
import type { TransactionResult } from '../store.ts'
import type { CallScope, EtcdClient } from './etcd-client.ts'
import { EtcdFailure, isBusy, outcomeUnknownError, unavailableError } from './etcd-failure.ts'
import type { EtcdKeys } from './etcd-keys.ts'
import { calls, compareTarget, type EtcdCompare, type RequestOp, type TxnResponse } from './etcd-messages.ts'

export interface EtcdTransaction {
  readonly compare: readonly EtcdCompare[]
  readonly operations: readonly RequestOp[]
}

/** A key that one transaction at a time writes along with its own, to be recognized by. */
interface Slot {
  readonly key: Buffer
  /** Revision of its last write, 0 before the first. */
  revision: number
}

const defaultWithinMs = 20_000

/**
 * Commits exactly once, also when a member dies in the middle. A connection that breaks after a transaction was sent leaves open whether it
 * took effect, and even whether it still will. So every transaction compares and writes a slot of its own: its number in the slot says that
 * it took effect, and at which revision; overwriting the slot makes it impossible for ever. Only then is it sent again.
 */
export class Committer {
  readonly #client: EtcdClient
  readonly #keys: EtcdKeys
  readonly #withinMs: number
  readonly #name = randomBytes(9).toString('base64url')
  readonly #free: Slot[] = []
  #slots = 0
  #commits = 0

  /** `withinMs`: how long a transaction is tried. */
  constructor(client: EtcdClient, keys: EtcdKeys, withinMs = defaultWithinMs) {
    this.#client = client
    this.#keys = keys
    this.#withinMs = withinMs
  }

  /** `isGone`: nobody waits for it any more, so it is not sent another time. */
  async commit(transaction: EtcdTransaction, scope: CallScope, isGone: () => boolean): Promise<TransactionResult> {
    const endMs = performance.now() + this.#withinMs
    let slot = this.#takeSlot()
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(transaction, slot, scope, endMs)
      if ('result' in outcome) {
        this.#free.push(slot)
        return outcome.result
      }
      if (outcome.slotSpent) slot = this.#takeSlot()
      if (performance.now() > endMs || isGone()) {
        if (!outcome.slotSpent) this.#free.push(slot)
        throw unavailableError(scope.what, this.#client.addresses, outcome.failure)
      }
      await this.#client.pause(attempt, scope.signal)
    }
  }

  async #attempt(transaction: EtcdTransaction, slot: Slot, scope: CallScope, endMs: number): Promise<Outcome> {
    const id = String(++this.#commits)
    let answer: TxnResponse
    try {
      answer = await this.#client.askOnce(calls.txn, this.#guarded(transaction, slot, id), scope)
    } catch (failure) {
      if (!(failure instanceof EtcdFailure)) throw failure
      if (failure.neverLeft || isBusy(failure)) return { failure, slotSpent: false }
      if (failure.isTransient) return this.#settle(slot, id, failure, scope, endMs)
      this.#free.push(slot)
      throw failure
    }
    const { succeeded, header } = answer
    if (succeeded) slot.revision = header.revision
    else if (slotRevision(answer) !== slot.revision)
      return { failure: new Error(`the slot ${slot.key} was cleaned up`), slotSpent: true }
    return { result: { ok: succeeded, revision: header.revision } }
  }

  /** Finds out whether the slot has the number of this transaction, else makes sure that it never will. May itself be repeated. */
  async #settle(slot: Slot, id: string, failure: EtcdFailure, scope: CallScope, endMs: number): Promise<Outcome> {
    const { key } = slot
    const within = Math.max(endMs - performance.now(), 1_000)
    // A slot that does not exist can only be taken by being written; one that does, by being deleted, which a full etcd allows too.
    const spend: RequestOp =
      slot.revision === 0 ? { request_put: { key, value: Buffer.from('spent') } } : { request_delete_range: { key } }
    try {
      const { succeeded, responses } = await this.#client.ask(
        calls.txn,
        {
          compare: [{ target: compareTarget.value, key, value: Buffer.from(id) }],
          success: [{ request_range: { key } }],
          failure: [spend],
        },
        { ...scope, withinMs: within },
      )
      if (!succeeded) return { failure, slotSpent: true }
      slot.revision = responses[0]?.response_range?.kvs[0]?.mod_revision ?? 0
      return { result: { ok: true, revision: slot.revision } }
    } catch {
      scope.signal.throwIfAborted()
      throw outcomeUnknownError(scope.what, failure)
    }
  }

  #guarded({ compare, operations }: EtcdTransaction, { key, revision }: Slot, id: string) {
    return {
      compare: [{ target: compareTarget.mod, key, mod_revision: revision }, ...compare],
      success: [...operations, { request_put: { key, value: Buffer.from(id) } }],
      failure: [{ request_range: { key, keys_only: true } }],
    }
  }

  #takeSlot(): Slot {
    return this.#free.pop() ?? { key: this.#keys.slot(`${this.#name}-${++this.#slots}`), revision: 0 }
  }
}

/** `slotSpent`: it will never take effect with that slot. */
type Outcome = { readonly result: TransactionResult } | { readonly failure: unknown; readonly slotSpent: boolean }

const slotRevision = ({ responses }: TxnResponse): number => responses[0]?.response_range?.kvs[0]?.mod_revision ?? 0
