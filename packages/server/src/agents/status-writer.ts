import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { BerthError, type InstanceStatus, isNothingNew, isSameIncarnation, messageOf, movePhase } from '@berth/core'
import type { Logger } from 'pino'
import type { InstanceNews, NewsOfCommit } from '../events/instance-news.ts'
import type { Records, RecordTransaction, State } from '../records/index.ts'
import { maxBytes, maxOperations } from '../store/store.ts'
import { type ReportBatch, ReportQueue } from './report-queue.ts'
import { eventsOfStatus, isEveryday } from './status-events.ts'

/** Each takes up to a put, a compare and four events, most far less. */
const statusCost = 6
const batchSize = 48
/** Log tails may be long. */
const batchCharacters = maxBytes / 4
/** Commits under way at a time. All but the first are of whole batches, so that few reports wait for nothing and many share commits. */
const maxCommits = 2
const retryMs = 500

export interface StatusWriterOptions {
  readonly records: Records
  readonly news: InstanceNews
  readonly signal: AbortSignal
  readonly log: Logger
  /** The agent still has an ended instance that the server has forgotten. */
  readonly onForgotten: (status: InstanceStatus) => void
}

/**
 * Brings what agents report into the store: of each node one commit at a time, of many nodes together where many report, each with all
 * that has come in meanwhile, and only what differs from what is there. A status is written only while its instance exists and belongs
 * to the reporting node; what is said of an earlier instance of the same id is not about it.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions
  readonly #state: State
  readonly #queue = new ReportQueue()
  readonly #idle = new Set<() => void>()
  #underWay = 0

  constructor(options: StatusWriterOptions) {
    this.#options = options
    this.#state = options.records.state
  }

  report(node: string, statuses: readonly InstanceStatus[]): void {
    if (statuses.length === 0) return
    this.#queue.add(node, statuses)
    this.#start()
  }

  /** Resolves when everything reported so far is written (or was not worth it). */
  async settled(): Promise<void> {
    if (!this.#isSettled) await new Promise<void>((resolve) => this.#idle.add(resolve))
  }

  get #isSettled(): boolean {
    return this.#underWay === 0 && (this.#queue.isEmpty || this.#options.signal.aborted)
  }

  #start(): void {
    while (this.#isDue()) {
      this.#underWay += 1
      void this.#drain(this.#queue.take(batchSize))
    }
    if (!this.#isSettled) return
    for (const resolve of this.#idle) resolve()
    this.#idle.clear()
  }

  #isDue(): boolean {
    if (this.#options.signal.aborted) return false
    const { size } = this.#queue
    return this.#underWay === 0 ? size > 0 : size >= batchSize && this.#underWay < maxCommits
  }

  async #drain(batch: ReportBatch): Promise<void> {
    const isDone = await this.#writeAll(batch.statuses)
    this.#underWay -= 1
    if (!isDone) {
      // Other nodes' go on meanwhile.
      this.#start()
      await delay(retryMs, undefined, { signal: this.#options.signal }).catch(() => undefined)
    }
    this.#queue.back(batch)
    this.#start()
  }

  /** False: some could not be written, and are in the queue again. */
  async #writeAll(statuses: readonly InstanceStatus[]): Promise<boolean> {
    const { signal, log } = this.#options
    try {
      for (let from = 0; from < statuses.length; ) from += await this.#write(statuses.slice(from))
      return true
    } catch (error) {
      if (signal.aborted) return false
      const nodes = Map.groupBy(statuses, ({ node }) => node)
      // What is wrong with one node's is not to keep the others' back.
      if (nodes.size > 1 && !isRetryable(error)) return await this.#writeEach([...nodes.values()])
      const names = [...nodes.keys()]
      log.error({ err: error, nodes: names }, `write statuses of ${names.slice(0, 3).join(', ')}: ${messageOf(error)}`)
      this.#queue.putBack(statuses)
      return false
    }
  }

  async #writeEach(parts: readonly (readonly InstanceStatus[])[]): Promise<boolean> {
    let isDone = true
    for (const part of parts) isDone = (await this.#writeAll(part)) && isDone
    return isDone
  }

  /** Returns how many of them fitted into one commit. */
  async #write(batch: readonly InstanceStatus[]): Promise<number> {
    const { records, news, signal } = this.#options
    const { value } = await records.commit(
      actorOf(batch),
      (tx) => {
        const told = news.begin(tx)
        let written = 0
        for (const status of batch) {
          if (tx.size + statusCost > maxOperations || tx.characters > batchCharacters) break
          this.#writeOne(tx, status, told)
          written += 1
        }
        return { written, told }
      },
      { signal },
    )
    value.told.committed()
    return value.written
  }

  #writeOne(tx: RecordTransaction, status: InstanceStatus, told: NewsOfCommit): void {
    const { id, node } = status
    const instance = this.#state.instances.get(id)
    if (instance === undefined || instance.node !== node || !isSameIncarnation(instance, status)) {
      this.#foreign(status)
      return
    }
    const before = this.#state.statuses.get(id)
    if (before === undefined ? isNothingNew(status) : isDeepStrictEqual(before, status)) return
    try {
      movePhase('agent', before?.phase ?? 'assigned', status.phase)
    } catch (error) {
      this.#options.log.error(
        { err: error, instance: id, node },
        `a report on ${id} is not believed: ${messageOf(error)}`,
      )
      return
    }
    // An instance deleted meanwhile must not get its status back.
    tx.require('instances', id)
    tx.put('statuses', status)
    for (const draft of eventsOfStatus(instance, before, status)) {
      const event = { ...draft, actor: `node:${node}` }
      if (isEveryday(event)) told.tell(event)
      else tx.event(event)
    }
  }

  /** Nothing is stopped because the server does not know it; only what has ended by itself may be forgotten. */
  #foreign(status: InstanceStatus): void {
    const { id, node, phase } = status
    // The agent ends an earlier instance by itself, to make room for the one that now has its id.
    if (this.#state.instances.get(id)?.node === node) return
    if (phase === 'ended') this.#options.onForgotten(status)
    else
      this.#options.log.warn(
        { instance: id, node, phase },
        `${node} runs ${id}, which is not assigned to it; it is left alone`,
      )
  }
}

/** One node's reports are its own doing. */
function actorOf([first, ...others]: readonly InstanceStatus[]): string {
  return others.every(({ node }) => node === first?.node) ? `node:${first?.node}` : 'system:statuses'
}

const isRetryable = (error: unknown): boolean => error instanceof BerthError && error.retryable
