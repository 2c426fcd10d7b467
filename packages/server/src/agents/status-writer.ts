import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { type InstanceStatus, isSameIncarnation, messageOf, movePhase } from '@berth/core'
import type { Logger } from 'pino'
import type { InstanceNews, NewsOfCommit } from '../events/instance-news.ts'
import type { Records, RecordTransaction, State } from '../records/index.ts'
import { maxOperations } from '../store/store.ts'
import { eventsOfStatus, isEveryday } from './status-events.ts'

/** Each takes up to a put, a compare and four events, most far less. */
const statusCost = 6
const batchSize = 48
const retryMs = 500

export interface StatusWriterOptions {
  readonly records: Records
  readonly news: InstanceNews
  readonly signal: AbortSignal
  readonly log: Logger
  /** The agent still has an ended instance that the server has forgotten. */
  readonly onForgotten: (status: InstanceStatus) => void
}

interface Queue {
  readonly waiting: Map<string, InstanceStatus>
  writing: boolean
}

/**
 * Brings what agents report into the store: one commit at a time per node, each with all that has come in meanwhile, and only what
 * differs from what is there. A status is written only while its instance exists and belongs to the reporting node; what is said of an
 * earlier instance of the same id is not about it.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions
  readonly #state: State
  readonly #queues = new Map<string, Queue>()
  readonly #idle = new Set<() => void>()

  constructor(options: StatusWriterOptions) {
    this.#options = options
    this.#state = options.records.state
  }

  report(node: string, statuses: readonly InstanceStatus[]): void {
    if (statuses.length === 0) return
    const queue = this.#queues.get(node) ?? { waiting: new Map(), writing: false }
    this.#queues.set(node, queue)
    for (const status of statuses) queue.waiting.set(status.id, { ...status, node })
    if (!queue.writing) void this.#drain(node, queue)
  }

  /** Resolves when everything reported so far is written (or was not worth it). */
  async settled(): Promise<void> {
    if (this.#queues.size === 0) return
    await new Promise<void>((resolve) => this.#idle.add(resolve))
  }

  async #drain(node: string, queue: Queue): Promise<void> {
    const { signal, log } = this.#options
    queue.writing = true
    while (queue.waiting.size > 0 && !signal.aborted) {
      const batch = [...queue.waiting.values()].slice(0, batchSize)
      for (const status of batch) queue.waiting.delete(status.id)
      try {
        for (let from = 0; from < batch.length; ) from += await this.#write(node, batch.slice(from))
      } catch (error) {
        if (signal.aborted) break
        log.error({ err: error, node }, `write statuses of ${node}: ${messageOf(error)}`)
        // What came in meanwhile is newer.
        for (const status of batch) if (!queue.waiting.has(status.id)) queue.waiting.set(status.id, status)
        await delay(retryMs, undefined, { signal }).catch(() => undefined)
      }
    }
    this.#queues.delete(node)
    if (this.#queues.size > 0) return
    for (const resolve of this.#idle) resolve()
    this.#idle.clear()
  }

  /** Returns how many of them fitted into one commit. */
  async #write(node: string, batch: readonly InstanceStatus[]): Promise<number> {
    const { records, news, signal } = this.#options
    const { value } = await records.commit(
      `node:${node}`,
      (tx) => {
        const told = news.begin(tx)
        let written = 0
        for (const status of batch) {
          if (tx.size + statusCost > maxOperations) break
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
    for (const event of eventsOfStatus(instance, before, status)) {
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

/** That it has the assignment is no news: there is something to be told once it does something about it. */
const isNothingNew = ({ phase, message, restarts, containerId }: InstanceStatus): boolean =>
  phase === 'assigned' && message === undefined && containerId === undefined && restarts === 0
