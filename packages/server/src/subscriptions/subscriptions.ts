import {
  BerthError,
  deadAfterMs,
  messageOf,
  readSubscription,
  type Subscription,
  type SubscriptionDocument,
  type SubscriptionPosition,
} from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import {
  type Change,
  type EventDraft,
  NamedRecords,
  type Records,
  type RecordTransaction,
  type State,
  type SubscriptionRecord,
} from '../records/index.ts'
import { BoundSecrets, secretProblem } from '../secrets/bound-secrets.ts'
import type { SecretKey } from '../secrets/secret-key.ts'
import { deliver } from './senders.ts'

const maxCount = 100

export interface SubscriptionWish extends SubscriptionDocument {
  /** What deliveries are signed with, or Redis's password. Absent: as before, or none. */
  readonly secret?: string | undefined
  /** From events behind this revision on. Absent: those from now on; for one that is there, as far as it has come. */
  readonly from?: number | undefined
}

/** Who else is told of events. A secret is sealed at rest and leaves this class only to sign. */
export class Subscriptions {
  readonly #subscriptions: NamedRecords<'subscriptions'>
  readonly #state: State
  readonly #secrets: BoundSecrets<SubscriptionRecord>
  readonly #now: () => number

  constructor(records: Records, key: SecretKey, now: () => number = Date.now) {
    this.#subscriptions = new NamedRecords(records, {
      ...{ kind: 'subscriptions', most: maxCount },
      missing: (name, hint) => new BerthError('subscription.not-found', `there is no subscription ${name}; ${hint}`),
      tooMany: (name, most) =>
        new BerthError(
          'subscription.too-many',
          `make subscription ${name}: there are ${most} already; remove some first`,
        ),
    })
    this.#state = records.state
    this.#secrets = new BoundSecrets(key, 'subscriptions', ({ name, url }) => [name, url])
    this.#now = now
  }

  /** Throws `subscription.not-found`. */
  require(name: string): SubscriptionRecord {
    return this.#subscriptions.require(name)
  }

  /** Throws `subscription.invalid`, `subscription.too-many`. */
  async put(name: string, wish: SubscriptionWish, context: CallContext): Promise<SubscriptionRecord> {
    const { secret, from } = wish
    const subscription = checked(name, wish)
    const decide = (before: SubscriptionRecord | undefined, tx: RecordTransaction): Change<SubscriptionRecord> => {
      this.#subscriptions.requireRoom(name, before)
      const wanted = { ...subscription, updatedAt: this.#now(), updatedBy: context.actor }
      const known = this.#state.subscriptionPositions.get(name)
      if (known === undefined || from !== undefined)
        tx.put('subscriptionPositions', {
          name,
          revision: Math.min(from ?? this.#state.revision, this.#state.revision),
        })
      const type = before === undefined ? 'subscription.created' : 'subscription.updated'
      const message = `${subscription.events.join(', ')} are told to ${subscription.url} (${name})`
      const record = { ...wanted, ...this.#secrets.sealedFor(wanted, secret, before) }
      return { record, event: { type, subject: {}, message } }
    }
    return this.#subscriptions.put(name, decide, context)
  }

  /** Throws `subscription.not-found`. */
  remove(name: string, context: CallContext): Promise<void> {
    const told = ({ url }: SubscriptionRecord, tx: RecordTransaction): EventDraft => {
      tx.delete('subscriptionPositions', name)
      const message = `events are not told to ${url} (${name}) any more`
      return { type: 'subscription.removed', subject: {}, message }
    }
    return this.#subscriptions.remove(name, told, context)
  }

  positionOf(name: string): SubscriptionPosition | undefined {
    return this.#state.subscriptionPositions.get(name)
  }

  /** Throws `secrets.cannot-open`. */
  secretOf(subscription: SubscriptionRecord): string | undefined {
    return this.#secrets.open(subscription)
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
}

function checked(name: string, wish: SubscriptionWish): Subscription {
  const read = readSubscription(name, wish)
  const problems = ['problems' in read ? read.problems : [], secretProblem(wish.secret) ?? []].flat()
  if (problems.length === 0 && 'subscription' in read) return read.subscription
  throw new BerthError('subscription.invalid', `subscription ${name}: ${problems.join('; ')}`, {
    details: { problems },
  })
}
