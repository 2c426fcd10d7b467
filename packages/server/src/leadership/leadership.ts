import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { encodeRecord, keyOf, type MemberRecord, type State } from '../records/index.ts'
import type { Store } from '../store/store.ts'
import { Campaign, claimOf, type RoleWork } from './campaign.ts'
import { type MonotonicClock, monotonicClock } from './clock.ts'
import { Membership } from './membership.ts'
import { type Role, roles } from './role.ts'
import { defaultLeaseTimes, LeasedSession, type LeaseTimes, pause, type Session, soleSession } from './session.ts'
import type { Term } from './term.ts'

export interface LeadershipOptions {
  readonly store: Store
  readonly state: State
  readonly member: MemberRecord
  /** The store is this process's own: it holds every role, for ever, and without a lease. */
  readonly alone: boolean
  readonly log: Logger
  readonly clock?: MonotonicClock
  readonly times?: LeaseTimes
  readonly random?: () => number
}

const retryMs = 250

/** This server's place among those on the same store: its membership, and the roles that it holds or waits for. */
export class Leadership implements AsyncDisposable {
  readonly #options: LeadershipOptions
  readonly #membership: Membership
  readonly #closing = new AbortController()
  readonly #campaigns = new Map<Role, Campaign>()
  #session: Session & Partial<AsyncDisposable>
  #next = Promise.withResolvers<void>()
  #running: Promise<void> = Promise.resolve()

  private constructor(options: LeadershipOptions, membership: Membership, session: Session) {
    this.#options = options
    this.#membership = membership
    this.#session = session
  }

  /** Becomes a member. Throws `server.version-apart`, `server.name-taken`. */
  static async join(options: LeadershipOptions, signal?: AbortSignal): Promise<Leadership> {
    const { store, state, member, times = defaultLeaseTimes } = options
    // A store may grant more than was asked for (etcd never less than two seconds), and ends leases late when it is busy.
    const graceMs = times.ttlMs * 2 + 4_000
    const membership = new Membership({ store, state, member, graceMs })
    if (options.alone) return Leadership.#joinAlone(options, membership)
    membership.checkVersions()
    const joining = signal ?? new AbortController().signal
    const session = await LeasedSession.open({ ...options, ...defaultsOf(options) }, joining)
    try {
      await membership.register(session, joining)
      const leadership = new Leadership(options, membership, session)
      leadership.#running = leadership.#keepSessions(leadership.#closing.signal)
      return leadership
    } catch (error) {
      await session[Symbol.asyncDispose]()
      throw error
    }
  }

  /** In one commit: what a server before this one has left is its own. */
  static async #joinAlone(options: LeadershipOptions, membership: Membership): Promise<Leadership> {
    const { store, state, member } = options
    const leadership = new Leadership(options, membership, soleSession(new AbortController().signal))
    const left = [...state.members.ids()].filter((name) => name !== member.name).slice(0, 50)
    const { revision } = await store.commit({
      operations: [
        { type: 'put', key: keyOf('members', member.name), value: encodeRecord('members', member) },
        ...roles.flatMap((role) => claimOf(role, member.name, leadership.#session).operations),
        ...left.map((name) => ({ type: 'delete' as const, key: keyOf('members', name) })),
      ],
    })
    await state.waitFor(revision)
    return leadership
  }

  /** No other server stands on this store. */
  get isAlone(): boolean {
    return this.#options.alone
  }

  get name(): string {
    return this.#membership.name
  }

  /** How long ago the store was last heard of. */
  get silentMs(): number {
    const { heardAt } = this.#session
    return heardAt === undefined ? 0 : (this.#options.clock ?? monotonicClock).now() - heardAt
  }

  /**
   * From now on `work` is done whenever this server holds the role, one term after the other. Where it is alone, this resolves when the
   * work has begun, or rejects as it does.
   */
  async hold(role: Role, work: RoleWork, { isFit }: { readonly isFit?: () => boolean } = {}): Promise<void> {
    const { store, state, log, random } = this.#options
    const campaign = new Campaign({
      ...{ role, server: this.name, store, state, work, log: log.child({ role }) },
      ...(random === undefined ? {} : { random }),
      ...(isFit === undefined ? {} : { isFit }),
      session: (signal) => this.#liveSession(signal),
    })
    this.#campaigns.set(role, campaign)
    if (this.#options.alone) await campaign.started
  }

  /** This server's, if it holds the role at this moment. */
  term(role: Role): Term | undefined {
    return this.#campaigns.get(role)?.term
  }

  /** Gives a role up; another server that waits for it gets it first. */
  stepDown(role: Role, why: string): void {
    this.#campaigns.get(role)?.stepDown(why)
  }

  /** Tells the other servers what has changed about this one. */
  async describe(change: Partial<MemberRecord>): Promise<void> {
    const session = await this.#liveSession(this.#closing.signal)
    await this.#membership.describe(session, change, this.#closing.signal)
  }

  /** Ends what it does in each role, gives the roles back, then its place. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#campaigns.values()].map((campaign) => campaign[Symbol.asyncDispose]()))
    this.#closing.abort(new Error('the server stops'))
    await this.#running
    await this.#session[Symbol.asyncDispose]?.()
  }

  async #liveSession(signal: AbortSignal): Promise<Session> {
    while (this.#session.isPast()) {
      signal.throwIfAborted()
      const { promise: aborted, resolve } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => resolve(), { once: true })
      await Promise.race([this.#next.promise, aborted])
    }
    return this.#session
  }

  /** A new one whenever the last has ended, for as long as it takes. */
  async #keepSessions(closing: AbortSignal): Promise<void> {
    while (!closing.aborted) {
      await ended(this.#session.ended, closing)
      if (closing.aborted) return
      this.#options.log.warn({ reason: messageOf(this.#session.ended.reason) }, 'this server holds no role any more')
      // What it still holds by the old one goes at once, if the store can be reached at all.
      void this.#session[Symbol.asyncDispose]?.()
      await this.#renewSession(closing)
    }
  }

  async #renewSession(closing: AbortSignal): Promise<void> {
    while (!closing.aborted) {
      let session: LeasedSession | undefined
      try {
        session = await LeasedSession.open({ ...this.#options, ...defaultsOf(this.#options) }, closing)
        await this.#membership.register(session, AbortSignal.any([closing, session.ended]))
        this.#session = session
        this.#next.resolve()
        this.#next = Promise.withResolvers<void>()
        this.#options.log.info('this server has a lease again')
        return
      } catch (error) {
        void session?.[Symbol.asyncDispose]()
        if (closing.aborted) return
        this.#options.log.warn({ err: error }, `get a new lease: ${messageOf(error)}`)
        await pause(retryMs, closing)
      }
    }
  }
}

const defaultsOf = ({ clock = monotonicClock, times = defaultLeaseTimes }: LeadershipOptions) => ({ clock, times })

function ended(signal: AbortSignal, closing: AbortSignal): Promise<void> {
  const either = AbortSignal.any([signal, closing])
  if (either.aborted) return Promise.resolve()
  return new Promise((resolve) => either.addEventListener('abort', () => resolve(), { once: true }))
}
