import { performance } from 'node:perf_hooks'
import { type Query, questionKey, readName, responseCode } from './message.ts'
import { encodeForwardedAnswer, type UpstreamAnswer } from './upstream-message.ts'

export interface Resolver {
  readonly address: string
  readonly loopMark: string
  ask(query: Query, timeoutMs: number): Promise<UpstreamAnswer>
}

export interface ForwarderLimits {
  readonly maxCacheBytes: number
  /** Questions under way; more are refused, so that a dead resolver cannot fill the memory. */
  readonly maxPending: number
  /** Of each try; askers give up after three seconds, in three tries of their own that all wait for one question of ours. */
  readonly timeoutsMs: readonly number[]
  /** How long a resolver that failed is asked last. */
  readonly restMs: number
}

const defaultLimits: ForwarderLimits = {
  maxCacheBytes: 4 * 1024 * 1024,
  maxPending: 1000,
  timeoutsMs: [800, 1000, 1200],
  restMs: 10_000,
}

/** Resolvers for the names in and below a domain, in place of the host's. */
export interface Zone {
  readonly name: string
  readonly resolvers: readonly Resolver[]
}

interface Kept {
  readonly answer: UpstreamAnswer
  readonly atMs: number
}

export interface KnownAnswer {
  readonly answer: UpstreamAnswer
  readonly ageSeconds: number
}

/** Rough cost of an entry besides its message: key, offsets, objects. */
const entryBytes = 400

/** Asks the host's resolvers for what is not Berth's, and keeps the answers for a while. */
export class Forwarder {
  readonly #limits: ForwarderLimits
  /** Oldest use first. */
  readonly #cache = new Map<string, Kept>()
  readonly #pending = new Map<string, Promise<UpstreamAnswer | undefined>>()
  readonly #restingUntilMs = new Map<string, number>()
  #resolvers: readonly Resolver[] = []
  #zones: ReadonlyMap<string, readonly Resolver[]> = new Map()
  #cacheBytes = 0

  constructor(limits: Partial<ForwarderLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits }
  }

  /** Answers of former resolvers are forgotten: another network may have other names. */
  setResolvers(resolvers: readonly Resolver[]): void {
    this.#resolvers = resolvers
    this.#forget()
  }

  /** Answers of before are forgotten: the names mean something else now. */
  setZones(zones: readonly Zone[]): void {
    this.#zones = new Map(zones.map(({ name, resolvers }) => [name, resolvers]))
    this.#forget()
  }

  #forget(): void {
    this.#restingUntilMs.clear()
    this.#cache.clear()
    this.#pending.clear()
    this.#cacheBytes = 0
  }

  /** The resolver that has brought our own question back to us; undefined for everybody's own. It is asked last from then on. */
  noteLoop({ loopMark }: Query): Resolver | undefined {
    if (loopMark === undefined) return undefined
    const resolver = [this.#resolvers, ...this.#zones.values()].flat().find((each) => each.loopMark === loopMark)
    if (resolver !== undefined) this.#restingUntilMs.set(resolver.address, performance.now() + this.#limits.restMs)
    return resolver
  }

  get cacheBytes(): number {
    return this.#cacheBytes
  }

  /** The kept answer, ready to be sent. */
  cached(query: Query, limit: number): Buffer | undefined {
    const kept = this.#find(query)
    return kept === undefined ? undefined : encodeForwardedAnswer(query, kept.answer, kept.ageSeconds, limit)
  }

  /** undefined when no resolver has an answer. Never rejects. */
  async resolve(query: Query, limit: number): Promise<Buffer | undefined> {
    const answer = await this.#share(query)
    return answer === undefined ? undefined : encodeForwardedAnswer(query, answer, 0, limit)
  }

  /** Kept or new, to be read. undefined when no resolver has an answer. Never rejects. */
  async lookUp(query: Query): Promise<KnownAnswer | undefined> {
    const kept = this.#find(query)
    if (kept !== undefined) return kept
    const answer = await this.#share(query)
    return answer === undefined ? undefined : { answer, ageSeconds: 0 }
  }

  #find(query: Query): KnownAnswer | undefined {
    const key = keyOf(query)
    const kept = this.#cache.get(key)
    if (kept === undefined) return undefined
    const ageSeconds = Math.floor((performance.now() - kept.atMs) / 1000)
    this.#cache.delete(key)
    if (ageSeconds >= kept.answer.ttlSeconds) {
      this.#cacheBytes -= sizeOf(kept.answer)
      return undefined
    }
    this.#cache.set(key, kept)
    return { answer: kept.answer, ageSeconds }
  }

  /** Equal questions share one. */
  async #share(query: Query): Promise<UpstreamAnswer | undefined> {
    const key = keyOf(query)
    let pending = this.#pending.get(key)
    if (pending === undefined) {
      if (this.#pending.size >= this.#limits.maxPending) return undefined
      const asking = this.#ask(query)
      pending = asking
      this.#pending.set(key, asking)
      void asking.then((answer) => {
        // One that was asked of former resolvers is nobody else's answer.
        if (this.#pending.get(key) !== asking) return
        this.#pending.delete(key)
        if (answer !== undefined) this.#keep(key, answer)
      })
    }
    return await pending
  }

  async #ask(query: Query): Promise<UpstreamAnswer | undefined> {
    let lastResort: UpstreamAnswer | undefined
    const order = this.#inOrder(this.#resolversFor(query))
    for (const [index, timeoutMs] of order.length === 0 ? [] : this.#limits.timeoutsMs.entries()) {
      const resolver = order[index % order.length] as Resolver
      try {
        const answer = await resolver.ask(query, timeoutMs)
        if (isFinal(answer)) {
          this.#restingUntilMs.delete(resolver.address)
          return answer
        }
        lastResort = answer
      } catch {
        this.#restingUntilMs.set(resolver.address, performance.now() + this.#limits.restMs)
      }
    }
    return lastResort
  }

  /** Those of the nearest zone that the name is in, else the host's. */
  #resolversFor({ packet }: Query): readonly Resolver[] {
    if (this.#zones.size === 0) return this.#resolvers
    const labels = readName(packet).split('.')
    for (let from = 0; from < labels.length; from++) {
      const resolvers = this.#zones.get(labels.slice(from).join('.'))
      if (resolvers !== undefined) return resolvers
    }
    return this.#resolvers
  }

  /** As configured, those that failed lately last. */
  #inOrder(resolvers: readonly Resolver[]): readonly Resolver[] {
    const now = performance.now()
    const rests = (each: Resolver) => (this.#restingUntilMs.get(each.address) ?? 0) > now
    return [...resolvers.filter((each) => !rests(each)), ...resolvers.filter(rests)]
  }

  #keep(key: string, answer: UpstreamAnswer): void {
    if (answer.ttlSeconds === 0) return
    const former = this.#cache.get(key)
    if (former !== undefined) this.#cacheBytes -= sizeOf(former.answer)
    this.#cache.delete(key)
    this.#cache.set(key, { answer, atMs: performance.now() })
    this.#cacheBytes += sizeOf(answer)
    for (const [oldest, kept] of this.#cache) {
      if (this.#cacheBytes <= this.#limits.maxCacheBytes) return
      this.#cache.delete(oldest)
      this.#cacheBytes -= sizeOf(kept.answer)
    }
  }
}

const sizeOf = (answer: UpstreamAnswer): number => answer.message.length + answer.ttlOffsets.length * 8 + entryBytes

/** Answers differ with the asker's DNSSEC wishes, so they are kept apart. */
const keyOf = (query: Query): string => `${query.dnssecOk ? 1 : 0}${query.flags & 0x0010 ? 1 : 0}${questionKey(query)}`

/** Others may know what this resolver cannot or does not want to tell. */
const isFinal = (answer: UpstreamAnswer): boolean =>
  answer.code === responseCode.noError || answer.code === responseCode.nameError
