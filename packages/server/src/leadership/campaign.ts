import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { encodeRecord, keyOf, type State } from '../records/index.ts'
import type { Store } from '../store/store.ts'
import type { Role } from './role.ts'
import { pause, type Session } from './session.ts'
import { Term } from './term.ts'

/**
 * What this server does in a role. It is called for every term and puts into `stack` what is to be disposed when the term is over; that
 * is waited for before the next term may begin here.
 */
export type RoleWork = (term: Term, stack: AsyncDisposableStack) => Promise<void> | void

export interface CampaignOptions {
  readonly role: Role
  readonly server: string
  readonly store: Store
  readonly state: State
  readonly log: Logger
  readonly work: RoleWork
  /** The session that is live, or the next one. */
  readonly session: (signal: AbortSignal) => Promise<Session>
  readonly random?: () => number
  /** False: others would do it better, and are let try first. */
  readonly isFit?: () => boolean
}

/** So that those who wait do not all ask at the same moment. */
const contestMs = 100
/** Who gave the role up lets others try first. */
const restMs = 1_500
const unfitMs = 2_000
const retryMs = 200

/** Wants one role, for as long as it is not disposed: waits for it, acts in it, and waits again. */
export class Campaign implements AsyncDisposable {
  readonly #options: CampaignOptions
  readonly #random: () => number
  readonly #closing = new AbortController()
  readonly #unsubscribe: () => void
  readonly #first = Promise.withResolvers<void>()
  readonly #running: Promise<void>
  #term: Term | undefined
  #change = Promise.withResolvers<void>()
  #restUntil = 0
  #isContested = false

  constructor(options: CampaignOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#first.promise.catch(() => undefined)
    this.#unsubscribe = options.state.changes.subscribe(({ kind, id }) => {
      if (kind === 'leaders' && id === options.role) this.#onChange()
    })
    this.#running = this.#run(this.#closing.signal)
  }

  /** That of this server, until it is over. */
  get term(): Term | undefined {
    return this.#term?.isOver === false ? this.#term : undefined
  }

  /** Resolves when the work of the first term has begun; rejects when it could not. */
  get started(): Promise<void> {
    return this.#first.promise
  }

  stepDown(why: string): void {
    this.#restUntil = performance.now() + restMs
    this.#term?.end(why)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the server stops'))
    this.#term?.end('it stops')
    this.#first.reject(this.#closing.signal.reason)
    await this.#running
    this.#unsubscribe()
  }

  #onChange(): void {
    const { role, state } = this.#options
    if (this.#term !== undefined && state.leaders.modRevision(role) !== this.#term.number)
      this.#term.end(`${state.leaders.get(role)?.server ?? 'nobody'} leads by what the store says`)
    this.#change.resolve()
    this.#change = Promise.withResolvers<void>()
  }

  async #run(closing: AbortSignal): Promise<void> {
    while (!closing.aborted) {
      try {
        const session = await this.#options.session(closing)
        await this.#turn(session, AbortSignal.any([closing, session.ended]))
      } catch (error) {
        if (closing.aborted) return
        this.#options.log.warn({ err: error }, `campaign for ${this.#options.role}: ${messageOf(error)}`)
        await pause(retryMs, closing)
      }
    }
  }

  /** What the state shows is what counts: a claim whose answer was lost may have been good. */
  async #turn(session: Session, signal: AbortSignal): Promise<void> {
    const { role, state } = this.#options
    const holder = state.leaders.get(role)
    if (signal.aborted) return
    if (holder === undefined) return this.#claim(session, signal)
    if (holder.session === session.id) return this.#serve(session, state.leaders.modRevision(role))
    this.#isContested = true
    await until(this.#change.promise, signal)
  }

  async #claim(session: Session, signal: AbortSignal): Promise<void> {
    const { role, server, store, state, isFit } = this.#options
    const restMs = Math.max(0, this.#restUntil - performance.now(), isFit?.() === false ? unfitMs : 0)
    const waitMs = restMs + (this.#isContested ? this.#random() * contestMs : 0)
    if (waitMs > 0) await until(Promise.race([this.#change.promise, pause(waitMs, signal)]), signal)
    if (signal.aborted || state.leaders.has(role)) return
    const { operations } = claimOf(role, server, session)
    const compare = [{ key: keyOf('leaders', role), modRevision: 0 }]
    const { revision } = await store.commit({ compare, operations }, { signal })
    await state.waitFor(revision, { signal })
  }

  async #serve(session: Session, number: number): Promise<void> {
    const { role, log } = this.#options
    const term = new Term(role, number, () => session.isPast())
    const onEnd = (): void => void term.isOver
    session.ended.addEventListener('abort', onEnd, { once: true })
    this.#term = term
    const stack = new AsyncDisposableStack()
    try {
      if (this.#closing.signal.aborted || term.isOver) return
      log.info({ role, term: number }, `this server leads ${role}`)
      await this.#begin(term, stack)
      await until(new Promise(() => undefined), term.signal)
    } finally {
      session.ended.removeEventListener('abort', onEnd)
      term.end('it stops')
      this.#term = undefined
      await stack
        .disposeAsync()
        .catch((error: unknown) => log.error({ err: error }, `end ${role}: ${messageOf(error)}`))
      log.info({ role, term: number }, `this server leads ${role} no more: ${messageOf(term.signal.reason)}`)
      await this.#release(session, number)
    }
  }

  async #begin(term: Term, stack: AsyncDisposableStack): Promise<void> {
    try {
      await this.#options.work(term, stack)
      this.#first.resolve()
    } catch (error) {
      this.#first.reject(error)
      if (term.isOver) return
      this.#options.log.error({ err: error }, `begin to lead ${term.role}: ${messageOf(error)}`)
      this.stepDown(`what it needs could not be started: ${messageOf(error)}`)
    }
  }

  /** For whoever waits, at once. A lease that has ended has done it already. */
  async #release(session: Session, number: number): Promise<void> {
    if (session.lease === undefined || session.ended.aborted) return
    const key = keyOf('leaders', this.#options.role)
    const signal = AbortSignal.any([session.ended, AbortSignal.timeout(releaseMs)])
    const { revision } = await this.#options.store.commit(
      { compare: [{ key, modRevision: number }], operations: [{ type: 'delete', key }] },
      { signal },
    )
    await this.#options.state.waitFor(revision, { signal })
  }
}

const releaseMs = 2_000

/** What makes this server the leader of a role. */
export function claimOf(role: Role, server: string, session: Session) {
  const value = encodeRecord('leaders', { role, server, session: session.id, since: Date.now() })
  const lease = session.lease === undefined ? {} : { lease: session.lease }
  return { operations: [{ type: 'put' as const, key: keyOf('leaders', role), value, ...lease }] }
}

/** Resolves at the signal as well. */
async function until(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise: aborted, resolve } = Promise.withResolvers<void>()
  const onAbort = (): void => resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
