import {
  type AppSpec,
  type GateSample,
  type GateSpec,
  type Pool,
  type RequestSummary,
  type RequestTimes,
  type Rollout,
  type RolloutRequests,
  type StageSpec,
  stageUnderWay,
  type TrafficStats,
} from '@berth/core'
import type { Logger } from 'pino'
import { poolId, type State } from '../records/index.ts'
import type { QueryAnswer } from './prometheus.ts'

export interface GateSourcesOptions {
  readonly state: State
  readonly traffic: TrafficStats
  /** Asks the Prometheus that is configured; undefined: none is. */
  readonly ask: (query: string, signal: AbortSignal) => Promise<QueryAnswer> | undefined
  readonly now?: () => number
  readonly log: Logger
  /** Sources may say something else by now. */
  readonly onChange: (pool: string) => void
  readonly lookMs?: number
  readonly askMs?: number
}

type QueryGate = Extract<GateSpec, { readonly type: 'query' }>
type RequestGate = Exclude<Extract<GateSpec, { readonly overMs: number }>, QueryGate>

interface Asked {
  readonly pool: string
  readonly gate: QueryGate
  readonly rollout: string
  sample?: GateSample
  askedAt: number
  isUnderWay: boolean
}

const noPrometheus = 'no Prometheus is configured (berth prometheus set URL)'

/** What the gates of stages that wait go by: requests as gateways count them, and queries to Prometheus. Kept in memory only. */
export class GateSources implements AsyncDisposable {
  readonly #options: GateSourcesOptions
  readonly #now: () => number
  readonly #askMs: number
  readonly #asked = new Map<string, Asked>()
  readonly #closing = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  /** Pools with a stage that waits for a source. */
  readonly #waiting = new Set<string>()

  constructor(options: GateSourcesOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#askMs = options.askMs ?? 10_000
    this.#timer = setInterval(() => this.#look(), options.lookMs ?? 2000)
    this.#timer.unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort()
    await Promise.allSettled(this.#underWay)
  }

  /** What the sources of the stage under way say, gate by gate. */
  look(pool: Pool, rollout: Rollout, spec: AppSpec | undefined): readonly (GateSample | undefined)[] {
    const id = poolId(pool.app, pool.name)
    const index = rollout.state === 'running' ? stageUnderWay(rollout) : undefined
    const readyAt = index === undefined ? undefined : rollout.stages?.[index]?.readyAt
    const stage = index === undefined ? undefined : spec?.rollout.stages?.[index]
    if (readyAt === undefined || stage === undefined || !stage.gates.some(isMeasured)) {
      this.#waiting.delete(id)
      this.#forget(id, [])
      return []
    }
    this.#waiting.add(id)
    this.#forget(id, queriesOf(stage, rollout))
    return stage.gates.map((gate) => this.#sample(id, gate, rollout, readyAt))
  }

  /** Since it began. */
  requests({ app, pool, toGeneration, createdAt }: Rollout): RolloutRequests | undefined {
    const { traffic } = this.#options
    const { all, generations, knownToMs } = traffic.window({ app, pool }, createdAt, this.#now())
    const { all: before } = traffic.window({ app, pool }, createdAt - beforeMs, createdAt)
    if (knownToMs === undefined || all.requests + before.requests === 0) return undefined
    const fresh = generations.find(({ generation }) => generation === toGeneration) ?? nothing
    return {
      ...{ requests: all.requests, errors: all.errors5xx, lost: all.lost },
      ...{ before: timesOf(before), after: timesOf(fresh) },
    }
  }

  #sample(pool: string, gate: GateSpec, rollout: Rollout, readyAt: number): GateSample | undefined {
    if (!isMeasured(gate)) return undefined
    return gate.type === 'query' ? this.#answer(pool, gate, rollout) : this.#requests(gate, rollout, readyAt)
  }

  /** Over the gate's time, or as much of it as there has been. */
  #requests({ overMs }: RequestGate, { app, pool, toGeneration }: Rollout, readyAt: number): GateSample {
    const { traffic } = this.#options
    const now = this.#now()
    const { knownFromMs, knownToMs } = traffic.window({ app, pool }, now, now)
    const fromMs = Math.max(readyAt, knownFromMs, knownToMs === undefined ? 0 : knownToMs - overMs)
    const { generations } = traffic.window({ app, pool }, fromMs, knownToMs ?? now)
    const fresh = generations.find(({ generation }) => generation === toGeneration) ?? nothing
    return { type: 'requests', fromMs, fresh, ...(knownToMs === undefined ? {} : { toMs: knownToMs }) }
  }

  #answer(pool: string, gate: QueryGate, rollout: Rollout): GateSample | undefined {
    const key = keyOf(pool, gate, rollout)
    const known = this.#asked.get(key)
    if (known !== undefined) return known.sample
    const asked: Asked = { pool, gate, rollout: rollout.id, askedAt: this.#now(), isUnderWay: false }
    this.#asked.set(key, asked)
    this.#ask(asked, rollout)
    return asked.sample
  }

  #ask(asked: Asked, rollout: Rollout): void {
    const { gate } = asked
    const { ask, onChange, log } = this.#options
    if (asked.isUnderWay) return
    asked.askedAt = this.#now()
    const answered = ask(filled(gate.query, rollout), this.#closing.signal)
    if (answered === undefined) {
      asked.sample = { type: 'none', message: noPrometheus, at: asked.askedAt }
      return
    }
    asked.isUnderWay = true
    const work = answered
      .then((answer) => {
        asked.sample = sampleOf(answer, gate, this.#now())
        if (answer.type === 'none')
          log.info({ pool: asked.pool, rollout: rollout.id }, `a gate's query has no answer: ${answer.message}`)
        if (!this.#closing.signal.aborted) onChange(asked.pool)
      })
      .finally(() => {
        asked.isUnderWay = false
        this.#underWay.delete(work)
      })
    this.#underWay.add(work)
  }

  #forget(pool: string, kept: readonly string[]): void {
    for (const [key, asked] of this.#asked) if (asked.pool === pool && !kept.includes(key)) this.#asked.delete(key)
  }

  #look(): void {
    const { state, onChange } = this.#options
    const now = this.#now()
    for (const id of this.#waiting) {
      const pool = state.pools.get(id)
      const rollout = pool?.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
      if (rollout === undefined) this.#waiting.delete(id)
      onChange(id)
    }
    for (const asked of this.#asked.values()) {
      const rollout = state.rollouts.get(asked.rollout)
      if (rollout !== undefined && now - asked.askedAt >= this.#askMs) this.#ask(asked, rollout)
    }
  }
}

/** Answer times of before are those of so long. */
const beforeMs = 600_000

const timesOf = ({ requests, p50Ms, p99Ms }: RequestSummary): RequestTimes => ({
  requests,
  ...(p50Ms === undefined ? {} : { p50Ms: rounded(p50Ms) }),
  ...(p99Ms === undefined ? {} : { p99Ms: rounded(p99Ms) }),
})

const rounded = (ms: number): number => Math.round(ms * 10) / 10

const isMeasured = (gate: GateSpec): gate is QueryGate | RequestGate => 'overMs' in gate

const nothing = { requests: 0, errors4xx: 0, errors5xx: 0, lost: 0, failedTries: 0 }

function queriesOf({ gates }: StageSpec, rollout: Rollout): string[] {
  const pool = poolId(rollout.app, rollout.pool)
  return gates.flatMap((gate) => (gate.type === 'query' ? [keyOf(pool, gate, rollout)] : []))
}

const keyOf = (pool: string, { query }: QueryGate, { id }: Rollout): string => `${pool}\0${id}\0${query}`

/** Names have neither quotes nor backslashes, so they stay within the strings that they are put in. */
function filled(query: string, { app, pool, from = '', to, toGeneration }: Rollout): string {
  const values: Readonly<Record<string, string>> = {
    ...{ app, pool, from, release: to },
    generation: String(toGeneration),
  }
  return query.replace(/\$([a-z]+)/g, (whole, name: string) => values[name] ?? whole)
}

/** Of several numbers the worst. */
function sampleOf(answer: QueryAnswer, { below }: QueryGate, at: number): GateSample {
  if (answer.type === 'none') return { ...answer, at }
  const worst = (below === undefined ? Math.min : Math.max)(...answer.values)
  return { type: 'value', value: worst, at }
}
