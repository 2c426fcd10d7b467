import type { Transaction, TransactionResult } from '../store.ts'
import type { Committer, EtcdTransaction } from './committer.ts'
import type { CallScope, EtcdClient } from './etcd-client.ts'
import { EtcdFailure, isBusy, outcomeUnknownError } from './etcd-failure.ts'
import type { EtcdKeys } from './etcd-keys.ts'
import { calls } from './etcd-messages.ts'
import { toEtcdCompare, toEtcdOperation } from './etcd-transaction.ts'

export interface CommitContext {
  readonly client: EtcdClient
  readonly keys: EtcdKeys
  readonly committer: Committer
  readonly scope: CallScope
  readonly isGone: () => boolean
}

export type Committed = TransactionResult & { readonly wrote: boolean }

/**
 * By what a transaction does: what puts something goes by a slot (see {@link Committer}). What only deletes may change nothing, and then the
 * revision must not grow, so no slot is written unless something is there to be deleted. What only compares may be asked as often as it takes.
 */
export async function commitTransaction(transaction: Transaction, context: CommitContext): Promise<Committed> {
  const { client, keys, committer, scope, isGone } = context
  const translated: EtcdTransaction = {
    compare: (transaction.compare ?? []).map((compare) => toEtcdCompare(compare, keys)),
    operations: transaction.operations.map((operation) => toEtcdOperation(operation, keys)),
  }
  if (translated.operations.length === 0) {
    const { succeeded, header } = await client.ask(calls.txn, { ...translated, success: [] }, scope)
    return { ok: succeeded, revision: header.revision, wrote: false }
  }
  if (!transaction.operations.some(({ type }) => type === 'put')) return commitDeletions(translated, context)
  const result = await committer.commit(translated, scope, isGone)
  return { ...result, wrote: result.ok }
}

async function commitDeletions(transaction: EtcdTransaction, context: CommitContext): Promise<Committed> {
  const { client, committer, scope, isGone } = context
  for (let attempt = 1; ; attempt++) {
    const exists = await anyExists(transaction, context)
    if (exists) {
      const result = await committer.commit(transaction, scope, isGone).catch(unlessFull)
      if (result !== undefined) return { ...result, wrote: result.ok }
    }
    try {
      // Either nothing is there, and a repetition changes nothing; or etcd is full, and takes deletions that put nothing at all.
      const question = { compare: transaction.compare, success: transaction.operations }
      const { succeeded, header } = await client.askOnce(calls.txn, question, scope)
      return { ok: succeeded, revision: header.revision, wrote: exists && succeeded }
    } catch (error) {
      if (!(error instanceof EtcdFailure) || !(error.isTransient || isBusy(error))) throw error
      if (exists && !error.neverLeft && !isBusy(error)) throw outcomeUnknownError(scope.what, error)
      await client.pause(attempt, scope.signal)
    }
  }
}

async function anyExists({ operations }: EtcdTransaction, { client, scope }: CommitContext): Promise<boolean> {
  const success = operations.map(({ request_delete_range }) => ({
    request_range: { ...(request_delete_range as { key: Buffer }), count_only: true },
  }))
  const { responses } = await client.ask(calls.txn, { compare: [], success }, scope)
  return responses.some(({ response_range }) => (response_range?.count ?? 0) > 0)
}

function unlessFull(error: unknown): undefined {
  if (error instanceof EtcdFailure && error.isFull) return undefined
  throw error
}
