import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@berth/core'
import type { StoreMember } from '../store.ts'
import type { StoreError } from '../store-error.ts'
import { EtcdFailure, isBusy, refusedError, unavailableError } from './etcd-failure.ts'
import { type EtcdCall, EtcdMember } from './etcd-member.ts'
import { calls, type Headed, type Header } from './etcd-messages.ts'
import type { TlsFiles } from './member-credentials.ts'

export interface EtcdClientOptions {
  /** `host:port` */
  readonly addresses: readonly string[]
  /** Absent: no TLS. */
  readonly tls?: TlsFiles
  readonly login?: { readonly user: string; readonly password: string }
  /** Sees every answer's header; may throw what the caller is then told. */
  readonly onHeader?: (header: Header) => void
}

export interface CallScope {
  /** For errors: `get /apps/shop`. */
  readonly what: string
  readonly signal: AbortSignal
  /** By when an answer must be there, whichever member gives it. Default 20 s. */
  readonly withinMs?: number
  /** How long one member may take before another is asked. Default 5 s. */
  readonly attemptMs?: number
}

const defaultWithinMs = 20_000
const defaultAttemptMs = 5_000
const healthWithinMs = 2_000
const firstPauseMs = 25
const maxPauseMs = 500

/** The cluster: keeps to one member until that one fails, then goes on with the next. */
export class EtcdClient implements Disposable {
  readonly members: readonly EtcdMember[]
  readonly #login: EtcdClientOptions['login']
  readonly #onHeader: (header: Header) => void
  #current = 0
  #token: Promise<string> | undefined
  #seen: string | undefined

  constructor({ addresses, tls, login, onHeader }: EtcdClientOptions) {
    this.members = addresses.map((address) => new EtcdMember(address, tls))
    this.#login = login
    this.#onHeader = onHeader ?? (() => undefined)
  }

  get addresses(): readonly string[] {
    return this.members.map(({ address }) => address)
  }

  /** For questions that may be asked twice. Throws a {@link StoreError}, an {@link EtcdFailure} that is not transient, or the signal's reason. */
  ask<Q, A extends Headed>(call: EtcdCall<Q, A>, question: Q, scope: CallScope): Promise<A> {
    return this.insist(scope, (member) => this.#askMember(member, call, question, scope))
  }

  /** One attempt on one member: for what must not be done twice. Fails with an {@link EtcdFailure} of any kind. */
  async askOnce<Q, A extends Headed>(call: EtcdCall<Q, A>, question: Q, scope: CallScope): Promise<A> {
    const member = this.#member()
    try {
      return await this.#askMember(member, call, question, scope)
    } catch (error) {
      if (error instanceof EtcdFailure && error.isTransient) this.#moveOn(member)
      throw error
    }
  }

  /** The answers of a stream of the current member. Its end is a failure, and then the next member's turn. */
  async *stream<Q, A extends Headed>(call: EtcdCall<Q, A>, question: Q, scope: CallScope): AsyncGenerator<A> {
    const member = this.#member()
    try {
      const token = await this.#authenticate(member, scope)
      const options = { token, signal: scope.signal, firstWithinMs: scope.attemptMs ?? defaultAttemptMs }
      for await (const answer of member.stream(call, question, options)) {
        this.#onHeader(answer.header)
        yield answer
      }
    } catch (error) {
      if (error instanceof EtcdFailure && error.needsNewToken) this.#token = undefined
      if (error instanceof EtcdFailure && error.isTransient) this.#moveOn(member)
      throw error
    }
  }

  /** Does `work` with one member after the other until one succeeds, for the time of the scope. */
  async insist<T>(scope: CallScope, work: (member: EtcdMember) => Promise<T>): Promise<T> {
    const endMs = performance.now() + (scope.withinMs ?? defaultWithinMs)
    for (let attempt = 1; ; attempt++) {
      const member = this.#member()
      try {
        return await work(member)
      } catch (error) {
        if (!(error instanceof EtcdFailure)) throw error
        if (!error.isTransient && !isBusy(error)) throw error
        if (performance.now() > endMs) throw unavailableError(scope.what, this.addresses, error)
        this.#moveOn(member)
        await this.pause(attempt, scope.signal)
      }
    }
  }

  /** Longer with every round over all members. */
  async pause(attempt: number, signal: AbortSignal): Promise<void> {
    if (attempt % this.members.length !== 0) return
    const round = attempt / this.members.length
    const ms = Math.min(firstPauseMs * 2 ** Math.min(round, 8), maxPauseMs) * (0.5 + Math.random() / 2)
    await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
  }

  /** Of every member, whatever the others say. */
  health(signal: AbortSignal): Promise<StoreMember[]> {
    return Promise.all(this.members.map((member) => this.#healthOf(member, signal)))
  }

  async #healthOf(member: EtcdMember, signal: AbortSignal): Promise<StoreMember> {
    const { address } = member
    const scope = { what: `status of ${address}`, signal, attemptMs: healthWithinMs }
    try {
      const { version, dbSize, leader, header, errors } = await this.#askMember(member, calls.status, {}, scope)
      const problem = leader === '0' ? 'it sees no leader' : errors.join('; ')
      return {
        ...{ address, version, sizeBytes: dbSize, leader: leader !== '0' && leader === header.member_id },
        ...{ healthy: problem === '', ...(problem === '' ? {} : { problem }) },
      }
    } catch (error) {
      signal.throwIfAborted()
      return { address, healthy: false, problem: error instanceof EtcdFailure ? error.reason : messageOf(error) }
    }
  }

  /** The next question asks for a new token first. */
  renewToken(): void {
    this.#token = undefined
  }

  /** What an error of {@link ask} means to a caller of the store. */
  toStoreError(error: unknown, what: string): StoreError | unknown {
    return error instanceof EtcdFailure ? refusedError(error, what) : error
  }

  [Symbol.dispose](): void {
    for (const member of this.members) member[Symbol.dispose]()
  }

  /** With a token, which is renewed once when it is over. */
  async #askMember<Q, A extends Headed>(
    member: EtcdMember,
    call: EtcdCall<Q, A>,
    question: Q,
    scope: CallScope,
  ): Promise<A> {
    const timeoutMs = scope.attemptMs ?? defaultAttemptMs
    for (let attempt = 1; ; attempt++) {
      const token = await this.#authenticate(member, scope)
      try {
        const answer = await member.ask(call, question, { token, timeoutMs, signal: scope.signal })
        this.#onHeader(answer.header)
        return answer
      } catch (error) {
        if (!(error instanceof EtcdFailure) || !error.needsNewToken || token === undefined || attempt === 3) throw error
        this.#forget(token)
      }
    }
  }

  #forget(token: string): void {
    if (this.#seen === token) this.#token = undefined
  }

  async #authenticate(member: EtcdMember, { signal }: CallScope): Promise<string | undefined> {
    if (this.#login === undefined) return undefined
    const { user: name, password } = this.#login
    this.#token ??= member
      .ask(calls.authenticate, { name, password }, { token: undefined, timeoutMs: defaultAttemptMs, signal })
      .then(({ token }) => {
        this.#seen = token
        return token
      })
    const asked = this.#token
    try {
      return await asked
    } catch (error) {
      if (this.#token === asked) this.#token = undefined
      throw error
    }
  }

  #member(): EtcdMember {
    return this.members[this.#current] as EtcdMember
  }

  #moveOn(from: EtcdMember): void {
    if (this.#member() === from) this.#current = (this.#current + 1) % this.members.length
  }
}
