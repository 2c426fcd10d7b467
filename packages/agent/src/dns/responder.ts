import { answerAlias } from './answer-alias.ts'
import { Forwarder, type Resolver, type Zone } from './forwarder.ts'
import { encodeRefusal, type Query, readQuery, recordClass, responseCode } from './message.ts'
import type { NetdState } from './netd-state.ts'
import { OwnNames } from './own-names.ts'

/** Since the start. */
export interface NetdCounters {
  /** Answered for Berth's own names. */
  readonly own: number
  /** Answered from what other resolvers had answered before. */
  readonly cached: number
  /** Asked of other resolvers. */
  readonly forwarded: number
  /** Of these, without an answer in time. */
  readonly failed: number
  /** Refused: our own questions, brought back by a resolver that asks us. */
  readonly looped: number
  /** Refused for what they asked (operations, classes, several questions). */
  readonly rejected: number
  /** Dropped: broken messages, and answers that nobody asked for. */
  readonly malformed: number
}

/** Answers one message; knows nothing of sockets. */
export class Responder {
  readonly counters: { -readonly [Name in keyof NetdCounters]: NetdCounters[Name] } = {
    own: 0,
    cached: 0,
    forwarded: 0,
    failed: 0,
    looped: 0,
    rejected: 0,
    malformed: 0,
  }
  readonly #forwarder = new Forwarder()
  readonly #onLoop: (resolver: Resolver) => void
  #names = new OwnNames({})

  constructor(onLoop: (resolver: Resolver) => void = () => {}) {
    this.#onLoop = onLoop
  }

  setState(state: Partial<NetdState>): void {
    this.#names = new OwnNames(state)
  }

  setResolvers(resolvers: readonly Resolver[]): void {
    this.#forwarder.setResolvers(resolvers)
  }

  setZones(zones: readonly Zone[]): void {
    this.#forwarder.setZones(zones)
  }

  /**
   * The answer, or a promise of it when others have to be asked; undefined when there is none to give. `limitOf` tells how many bytes
   * the answer may have.
   */
  respond(
    message: Buffer,
    askerAddress: string,
    limitOf: (query: Query) => number,
  ): Buffer | Promise<Buffer> | undefined {
    const result = readQuery(message)
    if (result.kind === 'malformed') {
      this.counters.malformed++
      return undefined
    }
    if (result.kind === 'rejected') {
      this.counters.rejected++
      return encodeRefusal(message, result.code)
    }
    const { query } = result
    const limit = limitOf(query)
    const own = this.#names.answer(query, askerAddress, limit)
    if (own === undefined) return this.#forward(query, limit)
    this.counters.own++
    if (!('target' in own)) return own
    return this.#orFailure(query, answerAlias(query, own.target, this.#forwarder, limit))
  }

  #forward(query: Query, limit: number): Buffer | Promise<Buffer> {
    if (query.class !== recordClass.IN) {
      this.counters.rejected++
      return encodeRefusal(query.packet, responseCode.refused, query.questionEnd)
    }
    const cached = this.#forwarder.cached(query, limit)
    if (cached !== undefined) {
      this.counters.cached++
      return cached
    }
    const looping = this.#forwarder.noteLoop(query)
    if (looping !== undefined) {
      this.counters.looped++
      this.#onLoop(looping)
      return encodeRefusal(query.packet, responseCode.refused, query.questionEnd)
    }
    this.counters.forwarded++
    return this.#orFailure(query, this.#forwarder.resolve(query, limit))
  }

  async #orFailure(query: Query, asking: Promise<Buffer | undefined>): Promise<Buffer> {
    const answer = await asking
    if (answer !== undefined) return answer
    this.counters.failed++
    return encodeRefusal(query.packet, responseCode.serverFailure, query.questionEnd)
  }
}
