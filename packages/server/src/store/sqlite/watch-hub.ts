import { BatchBuffer } from '../batch-buffer.ts'
import { bytesOfBatch, keyOf } from '../batch-size.ts'
import type { WatchBatch } from '../store.ts'

/** Hands every committed revision to the watchers of its keys, and tells the others how far the store is. */
export class WatchHub {
  readonly #capacityBytes: number
  readonly #watchers = new Set<Watcher>()
  /** All up to here has been handed out. */
  revision: number
  #failure: unknown

  constructor(revision: number, capacityBytes: number) {
    this.revision = revision
    this.#capacityBytes = capacityBytes
  }

  /** Everything after {@link revision}, until disposed. */
  subscribe(prefix: string): Watcher {
    const watcher = new Watcher(prefix, this.#capacityBytes, () => this.#watchers.delete(watcher))
    if (this.#failure) watcher.buffer.fail(this.#failure)
    this.#watchers.add(watcher)
    return watcher
  }

  publish(batches: readonly WatchBatch[], revision: number): void {
    if (revision === this.revision) return
    this.revision = revision
    for (const watcher of this.#watchers) watcher.offer(batches, revision)
  }

  fail(error: unknown): void {
    this.#failure ??= error
    for (const watcher of this.#watchers) watcher.buffer.fail(error)
  }
}

class Watcher implements Disposable {
  readonly buffer: BatchBuffer<WatchBatch>
  readonly #prefix: string
  readonly #remove: () => void

  constructor(prefix: string, capacityBytes: number, remove: () => void) {
    this.#prefix = prefix
    this.#remove = remove
    this.buffer = new BatchBuffer(`watch ${prefix}`, capacityBytes, bytesOfBatch)
  }

  offer(batches: readonly WatchBatch[], revision: number): void {
    let reached = 0
    for (const batch of batches) {
      const changes = batch.changes.filter((change) => keyOf(change).startsWith(this.#prefix))
      if (changes.length === 0) continue
      this.buffer.push({ revision: batch.revision, changes })
      reached = batch.revision
    }
    if (reached < revision) this.buffer.push({ revision, changes: [] })
  }

  [Symbol.dispose](): void {
    this.#remove()
  }
}
