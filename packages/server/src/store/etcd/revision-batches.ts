import type { Change, WatchBatch } from '../store.ts'
import type { EtcdKeys } from './etcd-keys.ts'
import type { EtcdEvent, WatchResponse } from './etcd-messages.ts'

/**
 * Makes whole revisions of a watch's answers. An answer has whole revisions, many of them when it catches up; one that is too large
 * comes in fragments, which may end in the middle of a revision: that one is held back until it is complete.
 */
export class RevisionBatches {
  readonly #keys: EtcdKeys
  readonly #prefix: string
  #held: EtcdEvent[] = []
  /** What comes next; what is older was handed out before (a member that is behind may repeat). */
  next: number

  constructor(keys: EtcdKeys, prefix: string, next: number) {
    this.#keys = keys
    this.#prefix = prefix
    this.next = next
  }

  /** A new stream begins at {@link next}: what was held is sent again. */
  restart(): void {
    this.#held = []
  }

  *take({ events, fragment, created, header }: WatchResponse): Generator<WatchBatch> {
    for (const event of events) {
      const first = this.#held[0]
      if (first !== undefined && first.kv.mod_revision !== event.kv.mod_revision) yield* this.#complete()
      this.#held.push(event)
    }
    if (fragment) return
    yield* this.#complete()
    // An answer without events, sent from time to time, says that all is told up to its revision.
    if (events.length === 0 && !created && header.revision >= this.next) {
      this.next = header.revision + 1
      yield { revision: header.revision, changes: [] }
    }
  }

  *#complete(): Generator<WatchBatch> {
    const events = this.#held
    this.#held = []
    const revision = events[0]?.kv.mod_revision
    if (revision === undefined || revision < this.next) return
    this.next = revision + 1
    yield { revision, changes: events.flatMap((event) => this.#changeOf(event)) }
  }

  #changeOf({ type, kv, prev_kv }: EtcdEvent): readonly Change[] {
    if (!this.#keys.isData(kv.key)) return []
    const key = this.#keys.keyOf(kv.key)
    if (!key.startsWith(this.#prefix)) return []
    const previous = prev_kv === undefined ? {} : { previous: this.#keys.toKeyValue(prev_kv) }
    if (type === 0) return [{ type: 'put', kv: this.#keys.toKeyValue(kv), ...previous }]
    return [{ type: 'delete', key, modRevision: kv.mod_revision, ...previous }]
  }
}
