import type { Store } from '../store/store.ts'
import { futureRevisionError } from '../store/store-error.ts'
import { parseKey } from './record-kinds.ts'
import type { ChangedRecord } from './state.ts'

/** What changed when: the last changes in memory, older ones from the store's history. */
export class ChangeHistory {
  readonly #store: Store
  readonly #limit: number
  #recent: ChangedRecord[] = []
  /** Every change after this revision is in `#recent`. */
  #from: number

  constructor(store: Store, fromRevision: number, limit: number) {
    this.#store = store
    this.#from = fromRevision
    this.#limit = limit
  }

  add(change: ChangedRecord): void {
    this.#recent.push({ kind: change.kind, id: change.id, revision: change.revision })
    if (this.#recent.length < this.#limit * 2) return
    // A revision is kept whole or not at all.
    this.#from = this.#recent[this.#limit - 1]?.revision ?? this.#from
    this.#recent = this.#recent.filter((each) => each.revision > this.#from)
  }

  /** Forgets what is in memory: changes up to `revision` were missed or undone. */
  reset(revision: number): void {
    this.#recent = []
    this.#from = revision
  }

  async since(revision: number, current: number, signal: AbortSignal): Promise<readonly ChangedRecord[]> {
    if (revision > current) throw futureRevisionError('changes', revision, current)
    if (revision >= this.#from) return this.#recent.filter((change) => change.revision > revision)
    return await this.#readStore(revision, current, signal)
  }

  async #readStore(revision: number, current: number, signal: AbortSignal): Promise<readonly ChangedRecord[]> {
    const changes: ChangedRecord[] = []
    const reading = new AbortController()
    const both = AbortSignal.any([signal, reading.signal])
    try {
      for await (const batch of this.#store.watch('/', { fromRevision: revision + 1, signal: both })) {
        for (const change of batch.changes) {
          const record = parseKey(change.type === 'put' ? change.kv.key : change.key)
          if (record !== undefined) changes.push({ ...record, revision: batch.revision })
        }
        if (batch.revision >= current) break
      }
    } finally {
      reading.abort()
    }
    signal.throwIfAborted()
    return changes
  }
}
