import {
  BerthError,
  closest,
  deadAfterMs,
  messageOf,
  readSubscription,
  type SubscriptionDocument,
  type SubscriptionPosition,
} from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, State, SubscriptionRecord } from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'
import { deliver } from './senders.ts'

const maxCount = 100
const secretLength = { min: 8, max: 1_000 } as const

export interface SubscriptionWish extends SubscriptionDocument {
  /** What deliveries are signed with, or Redis's password. Absent: as before, or none. */
  readonly secret?: string | undefined
  /** From events behind this revision on. Absent: those from now on; for one that is there, as far as it has come. */
  readonly from?: number | undefined
}

/** Who else is told of events. A secret is sealed at rest and leaves this class only to sign. */
export class Subscriptions {
  readonly #records: Records
  readonly #state: State
  readonly #key: Buffer
  readonly #now: () => number

  constructor(records: Records, key: SecretKey, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#key = key.derive('subscriptions')
    this.#now = now
  }

  /** Throws `subscription.not-found`. */
  require(name: string): SubscriptionRecord {
    const found = this.#state.subscriptions.get(name)
    if (found !== undefined) return found
    const names = [...this.#state.subscriptions.ids()].sort()
    const near = closest(name, names)
    const hint = near === undefined ? `there are: ${names.slice(0, 20).join(', ') || 'none'}` : `did you mean ${near}?`
    throw new BerthError('subscription.not-found', `there is no subscription ${name}; ${hint}`)
  }

  /** Throws `subscription.invalid`, `subscription.too-many`. */
  async put(name: string, wish: SubscriptionWish, context: CallContext): Promise<SubscriptionRecord> {
    const read = readSubscription(name, wish)
    const problems = 'problems' in read ? [...read.problems] : []
    const { secret, from } = wish
    if (secret !== undefined && secret !== '' && (secret.length < secretLength.min || secret.length > secretLength.max))
      problems.push(`the secret has ${secretLength.min} to ${secretLength.max} characters`)
    if (problems.length > 0 || 'problems' in read)
      throw new BerthError('subscription.invalid', `subscription ${name}: ${problems.join('; ')}`, {
        details: { problems },
      })
    const { subscription } = read
    const decide = this.#records.commit(context.actor, (tx) => {
      const before = this.#state.subscriptions.get(name)
      if (before === undefined && this.#state.subscriptions.size >= maxCount)
        throw new BerthError(
          'subscription.too-many',
          `make subscription ${name}: there are ${maxCount} already; remove some first`,
        )
      const sealed = this.#sealedFor(subscription, secret, before)
      const record: SubscriptionRecord = {
        ...subscription,
        ...(sealed === undefined ? {} : { sealed }),
        ...{ updatedAt: this.#now(), updatedBy: context.actor },
      }
      tx.put('subscriptions', record, { ifUnchanged: true })
      const known = this.#state.subscriptionPositions.get(name)
      if (known === undefined || from !== undefined)
        tx.put('subscriptionPositions', {
          name,
          revision: Math.min(from ?? this.#state.revision, this.#state.revision),
        })
      const type = before === undefined ? 'subscription.created' : 'subscription.updated'
      tx.event({
        type,
        subject: {},
        message: `${subscription.events.join(', ')} are told to ${subscription.url} (${name})`,
      })
      return record
    })
    return (await decide).value
  }

  async remove(name: string, context: CallContext): Promise<void> {
    await this.#records.commit(context.actor, (tx) => {
      const { url } = this.require(name)
      tx.delete('subscriptions', name, { ifUnchanged: true })
      tx.delete('subscriptionPositions', name)
      tx.event({
        type: 'subscription.removed',
        subject: {},
        message: `events are not told to ${url} (${name}) any more`,
      })
    })
  }

  positionOf(name: string): SubscriptionPosition | undefined {
    return this.#state.subscriptionPositions.get(name)
  }

  /** Throws `secrets.cannot-open`. */
  secretOf({ name, url, sealed }: SubscriptionRecord): string | undefined {
    return sealed === undefined ? undefined : unseal(this.#key, [name, url], sealed)
  }

  /**
   * Sends a delivery of no events, signed or with the password as any other: it finds out whether the next would be taken, and tells nothing.
   * Throws `subscription.not-found`, `subscription.undeliverable`.
   */
  async try(name: string, signal: AbortSignal): Promise<void> {
    const subscription = this.require(name)
    const after = this.positionOf(name)?.revision ?? this.#state.revision
    try {
      await deliver({ subscription, secret: this.secretOf(subscription), after, events: [], signal })
    } catch (cause) {
      const why = cause instanceof Error && cause.cause !== undefined ? messageOf(cause.cause) : messageOf(cause)
      throw new BerthError('subscription.undeliverable', `try subscription ${name} (${subscription.url}): ${why}`, {
        ...{ retryable: true, cause },
      })
    }
  }

  /** Of those that have not been reached for a while, one sentence each. */
  problems(): string[] {
    return this.#state.subscriptionPositions.all().flatMap(({ name, failingSince, problem }) => {
      if (failingSince === undefined || this.#now() - failingSince < deadAfterMs) return []
      return [`subscription ${name} has not been reached since ${new Date(failingSince).toISOString()}: ${problem}`]
    })
  }

  /** Sealed with where it goes, so that another URL never gets it. */
  #sealedFor(
    { name, url }: { readonly name: string; readonly url: string },
    secret: string | undefined,
    before: SubscriptionRecord | undefined,
  ): string | undefined {
    if (secret === '') return undefined
    if (secret !== undefined) return seal(this.#key, [name, url], secret)
    return before?.url === url ? before.sealed : undefined
  }
}
