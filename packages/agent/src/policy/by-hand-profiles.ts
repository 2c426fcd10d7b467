import { type ByHandProfiles, isOfWish, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { EndpointRecords } from '../network/plugin/endpoint-records.ts'
import { watchDirectory } from '../node/watch-directory.ts'

export interface ByHandWatchParts {
  readonly records: Pick<EndpointRecords, 'ids' | 'find' | 'markInForce' | 'isInForce'>
  /** Where these are. */
  readonly directory: string
  readonly log: Logger
  /** There are others than before. */
  readonly onChange: () => void
}

interface Wish {
  readonly id: string
  readonly address: string
  readonly profiles: readonly string[]
  isInForce: boolean
}

/** Containers of this node that were started by hand and name profiles, as netd has noted them. It keeps them closed until it is told that these are in force. */
export class ByHandWatch implements AsyncDisposable {
  readonly #parts: ByHandWatchParts
  /** By endpoint; undefined: it names none. What an endpoint asks for never changes. */
  #seen = new Map<string, Wish | undefined>()
  #watcher: Disposable | undefined
  #work: Promise<void> = Promise.resolve()
  #isWaiting = false

  constructor(parts: ByHandWatchParts) {
    this.#parts = parts
  }

  /** Resolves when those that are there have been looked at. */
  async start(): Promise<void> {
    this.#watcher = watchDirectory(this.#parts.directory, () => this.#look())
    this.#look()
    await this.#work
  }

  get wishes(): readonly ByHandProfiles[] {
    return this.#all().map(({ address, profiles }) => ({ address, profiles }))
  }

  /** Tells netd of those whose profiles are in force now, by address. Never throws: who is not told of stays closed until the next time. */
  async inForce(profiles: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const wish of this.#all()) {
      if (wish.isInForce || !isOfWish(profiles.get(wish.address), wish.profiles)) continue
      try {
        await this.#parts.records.markInForce(wish.id)
        wish.isInForce = true
      } catch (error) {
        this.#parts.log.warn({ address: wish.address, reason: messageOf(error) }, 'a container stays closed for now')
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher?.[Symbol.dispose]()
    await this.#work
  }

  #all(): Wish[] {
    return [...this.#seen.values()].filter((each) => each !== undefined)
  }

  /** One after another; what is told meanwhile is seen by the next. */
  #look(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#work = this.#work.then(async () => {
      this.#isWaiting = false
      await this.#read().catch((error: unknown) =>
        this.#parts.log.warn({ reason: messageOf(error) }, 'cannot look for containers that name profiles'),
      )
    })
  }

  async #read(): Promise<void> {
    const { records, onChange } = this.#parts
    const seen = new Map<string, Wish | undefined>()
    for (const id of await records.ids()) seen.set(id, this.#seen.has(id) ? this.#seen.get(id) : await this.#wishOf(id))
    const before = textOf(this.#all())
    this.#seen = seen
    if (textOf(this.#all()) !== before) onChange()
  }

  async #wishOf(id: string): Promise<Wish | undefined> {
    const { records } = this.#parts
    const record = await records.find(id)
    const [address] = record?.addresses ?? []
    if (record?.profiles === undefined || address === undefined) return undefined
    return { id, address, profiles: record.profiles, isInForce: await records.isInForce(id) }
  }
}

const textOf = (wishes: readonly Wish[]): string => wishes.map(({ id }) => id).join()
