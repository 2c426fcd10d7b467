import { setTimeout as delay } from 'node:timers/promises'
import { isSubscribed, messageOf, retryDelayMs, type SubscriptionPosition } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, State } from '../records/index.ts'
import { type Delivery, deliver, type ToldEvent } from './senders.ts'
import type { Subscriptions } from './subscriptions.ts'

/** In one delivery. */
const maxEvents = 50
const actor = 'system:subscriptions'

export interface TellerOptions {
  readonly records: Records
  readonly subscriptions: Subscriptions
  readonly log: Logger
  readonly send?: (delivery: Delivery) => Promise<void>
  readonly retryMs?: (failures: number) => number
}

/**
 * Tells events to who has subscribed, in the order of revisions, each subscription by itself. How far one has come is written down after each
 * delivery that was taken; so after a crash, or by another server, the last delivery may be made again.
 */
export class Teller implements AsyncDisposable {
  readonly #options: TellerOptions
  readonly #state: State
  readonly #closing = new AbortController()
  readonly #running = new Map<string, Promise<void>>()
  readonly #unsubscribe: () => void
  #changed = Promise.withResolvers<void>()
  /** All events that are kept; made anew for all subscriptions together. */
  #inOrder: readonly ToldEvent[] | undefined

  constructor(options: TellerOptions) {
    this.#options = options
    this.#state = options.records.state
    this.#unsubscribe = this.#state.changes.subscribe(({ kind }) => {
      if (kind !== 'events' && kind !== 'subscriptions') return
      if (kind === 'subscriptions') this.#start()
      else this.#inOrder = undefined
      this.#changed.resolve()
      this.#changed = Promise.withResolvers<void>()
    })
    this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    this.#closing.abort()
    this.#changed.resolve()
    await Promise.all(this.#running.values())
  }

  #start(): void {
    for (const name of this.#state.subscriptions.ids()) {
      if (this.#running.has(name) || this.#closing.signal.aborted) continue
      const running = this.#run(name).finally(() => {
        this.#running.delete(name)
        if (this.#state.subscriptions.has(name)) this.#start()
      })
      this.#running.set(name, running)
    }
  }

  /** As long as it is there. */
  async #run(name: string): Promise<void> {
    const { signal } = this.#closing
    const { log, retryMs = (failures) => retryDelayMs(failures, Math.random()) } = this.#options
    while (!signal.aborted && this.#state.subscriptions.has(name)) {
      const { promise } = this.#changed
      try {
        if (await this.#tellNext(name)) continue
        await promise
      } catch (error) {
        if (signal.aborted) return
        const failures = await this.#noteFailure(name, messageOf(error)).catch(() => 1)
        log.warn({ subscription: name, failures }, `tell events to subscription ${name}: ${messageOf(error)}`)
        const ended = AbortSignal.any([signal])
        // Another URL is tried at once.
        await Promise.race([
          delay(retryMs(failures), undefined, { signal: ended }).catch(() => undefined),
          this.#untilOther(name),
        ])
      }
    }
  }

  /** False: there was nothing to tell. */
  async #tellNext(name: string): Promise<boolean> {
    const subscription = this.#state.subscriptions.get(name)
    const position = this.#state.subscriptionPositions.get(name)
    if (subscription === undefined || position === undefined) return false
    const wanted = this.#eventsAfter(position.revision).filter((event) => isSubscribed(subscription, event))
    // All events of one revision go together: how far it has come is told in revisions.
    const bound = wanted[maxEvents - 1]?.revision ?? Number.POSITIVE_INFINITY
    const events = wanted.filter(({ revision }) => revision <= bound)
    const last = events.at(-1)
    if (last === undefined) return false
    const { subscriptions, send = deliver } = this.#options
    const secret = subscriptions.secretOf(subscription)
    await send({ subscription, secret, after: position.revision, events, signal: this.#closing.signal })
    await this.#put(position, { name, revision: last.revision, deliveredAt: Date.now() })
    return true
  }

  #eventsAfter(revision: number): readonly ToldEvent[] {
    const { events } = this.#state
    this.#inOrder ??= events
      .all()
      .map((event) => ({ revision: events.modRevision(event.id), ...event }))
      .sort((a, b) => a.revision - b.revision || (a.id < b.id ? -1 : 1))
    // Most have been told the last one's predecessor.
    let from = this.#inOrder.length
    while (from > 0 && (this.#inOrder[from - 1]?.revision ?? 0) > revision) from -= 1
    return this.#inOrder.slice(from)
  }

  /** How many there have been in a row. */
  async #noteFailure(name: string, problem: string): Promise<number> {
    const position = this.#state.subscriptionPositions.get(name)
    if (position === undefined) return 1
    const { failures = 0, failingSince = Date.now() } = position
    await this.#put(position, { ...position, failures: failures + 1, failingSince, problem: problem.slice(0, 300) })
    return failures + 1
  }

  /** Unless somebody has said meanwhile to go on from elsewhere. */
  async #put(before: SubscriptionPosition, after: SubscriptionPosition): Promise<void> {
    const { name } = before
    await this.#options.records.commit(actor, (tx) => {
      if (this.#state.subscriptionPositions.get(name)?.revision !== before.revision) return
      tx.put('subscriptionPositions', after, { ifUnchanged: true })
    })
  }

  async #untilOther(name: string): Promise<void> {
    const before = this.#state.subscriptions.get(name)
    while (!this.#closing.signal.aborted && this.#state.subscriptions.get(name) === before) await this.#changed.promise
  }
}
