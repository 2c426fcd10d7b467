import type { TransactionResult } from '../store.ts'
import type { CommitAnswer, CommitEntry, CommitOutcome } from './protocol.ts'
import { deserializeError } from './sqlite-error.ts'

/** Bounds of one group: how long those behind it wait. */
const groupEntries = 256
const groupBytes = 4 * 1_048_576

interface Waiting {
  readonly entry: CommitEntry
  readonly bytes: number
  readonly resolve: (result: TransactionResult) => void
  readonly reject: (error: unknown) => void
}

/**
 * Forms the groups: what arrives in one turn of the event loop, or while a group is on its way to the disk, goes together
 * with the next. So a lone commit never waits for company, and under load the groups grow by themselves.
 */
export class CommitQueue {
  readonly #send: (entries: readonly CommitEntry[]) => Promise<CommitAnswer>
  readonly #waiting = new Set<Waiting>()
  #running: Promise<void> | undefined

  /** `send` also publishes the group's changes before it resolves. */
  constructor(send: (entries: readonly CommitEntry[]) => Promise<CommitAnswer>) {
    this.#send = send
  }

  /** An abort takes an entry back as long as its group has not left; after that only the caller's wait ends. */
  submit(entry: CommitEntry, signal?: AbortSignal): Promise<TransactionResult> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting.delete(waiting)
        reject(signal?.reason)
      }
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener('abort', abort)
          settle(value)
        }
      const waiting = { entry, bytes: bytesOf(entry), resolve: done(resolve), reject: done(reject) }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.add(waiting)
      this.#running ??= this.#run()
    })
  }

  /** Resolves when all that was submitted is settled. */
  async drain(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    await Promise.resolve() // what the caller submits in the same breath goes into the first group
    while (this.#waiting.size > 0) await this.#sendGroup(this.#takeGroup())
    this.#running = undefined
  }

  #takeGroup(): readonly Waiting[] {
    const group: Waiting[] = []
    let bytes = 0
    for (const waiting of this.#waiting) {
      if (group.length === groupEntries || (group.length > 0 && bytes + waiting.bytes > groupBytes)) break
      group.push(waiting)
      bytes += waiting.bytes
      this.#waiting.delete(waiting)
    }
    return group
  }

  async #sendGroup(group: readonly Waiting[]): Promise<void> {
    try {
      const { outcomes } = await this.#send(group.map(({ entry }) => entry))
      for (const [index, waiting] of group.entries()) settle(waiting, outcomes[index] as CommitOutcome)
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }
}

function settle({ resolve, reject }: Waiting, outcome: CommitOutcome): void {
  if ('error' in outcome) reject(deserializeError(outcome.error))
  else resolve(outcome)
}

function bytesOf(entry: CommitEntry): number {
  if (entry.type !== 'transaction') return 0
  let bytes = 0
  for (const operation of entry.transaction.operations) if (operation.type === 'put') bytes += operation.value.length
  return bytes
}
