import type { Change, Compare, KeyValue, Operation, Transaction } from '../store.ts'

interface ModelRevision {
  readonly revision: number
  readonly changes: readonly Change[]
}

/** What a store is, as simple as it gets: a map per revision. No history is dropped; the test knows what was compacted. */
export class MemoryModel {
  readonly #states = new Map<number, ReadonlyMap<string, KeyValue>>()
  readonly #log: ModelRevision[] = []
  revision: number

  constructor(revision: number) {
    this.revision = revision
    this.#states.set(revision, new Map())
  }

  at(revision: number): ReadonlyMap<string, KeyValue> {
    const state = this.#states.get(revision)
    if (!state) throw new Error(`the model has no revision ${revision}`)
    return state
  }

  holds({ compare = [] }: Transaction, revision: number): boolean {
    return compare.every((one) => holds(one, this.at(revision).get(one.key)))
  }

  /** Applies the operations without looking at the compares. */
  apply({ operations }: Transaction): void {
    const revision = this.revision + 1
    const state = new Map(this.at(this.revision))
    const changes = operations.flatMap((operation) => perform(operation, state, revision))
    if (changes.length === 0) return
    this.#log.push({ revision, changes })
    this.#states.set(revision, state)
    this.revision = revision
  }

  history(prefix: string, from: number): ModelRevision[] {
    return this.#log
      .filter(({ revision }) => revision >= from)
      .map(({ revision, changes }) => ({
        revision,
        changes: changes.filter((change) => keyOf(change).startsWith(prefix)),
      }))
      .filter(({ changes }) => changes.length > 0)
  }
}

export const keyOf = (change: Change): string => (change.type === 'put' ? change.kv.key : change.key)

function holds(compare: Compare, kv: KeyValue | undefined): boolean {
  if ('version' in compare) return compare.version === (kv ? kv.version : 0)
  if ('modRevision' in compare) return compare.modRevision === (kv ? kv.modRevision : 0)
  return kv !== undefined && compare.value === kv.value
}

function perform(operation: Operation, state: Map<string, KeyValue>, revision: number): Change[] {
  if (operation.type === 'put') {
    const { key, value } = operation
    const previous = state.get(key)
    const createRevision = previous ? previous.createRevision : revision
    const kv = { key, value, createRevision, modRevision: revision, version: previous ? previous.version + 1 : 1 }
    state.set(key, kv)
    return [previous ? { type: 'put', kv, previous } : { type: 'put', kv }]
  }
  const doomed = [...state.keys()].filter((key) =>
    operation.type === 'delete' ? key === operation.key : key.startsWith(operation.prefix),
  )
  return doomed.sort(byBytes).map((key) => {
    const previous = state.get(key) as KeyValue
    state.delete(key)
    return { type: 'delete', key, modRevision: revision, previous }
  })
}

export const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
