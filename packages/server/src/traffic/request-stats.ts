import {
  addRequests,
  type ConnectionRow,
  type GenerationRequests,
  noRequests,
  type PoolOfRequests,
  type RequestCounts,
  RequestMeter,
  type RequestRow,
  RequestSeries,
  requestsSince,
  seriesKeepsMs,
  summarizeRequests,
  type TrafficStats,
  type TrafficWindow,
} from '@berth/core'
import { poolId, type State } from '../records/index.ts'
import { ConnectionStats } from './connection-stats.ts'

/** A row of an instance that is gone is of no use once its gateway has nothing to add. */
const forgetRowsMs = 10 * 60_000
const sweepEveryMs = 60_000
/** Of one gateway. A node is known, but not trusted blindly. */
const maxRows = 200_000

export interface RequestStatsOptions {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  readonly now: () => number
}

/** Whose requests they are. Without a generation: they met no instance. */
interface Owner {
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  readonly generation?: number
  readonly release?: string
}

interface Row {
  counts: RequestCounts
  changedAt: number
  readonly instance: string
  /** Undefined: of an external service. */
  readonly owner: Owner | undefined
}

interface GatewayRows {
  /** What it had counted before this server listened has been told: what is new from here on is new. */
  isKnown: boolean
  heardAt: number
  readonly rows: Map<string, Row>
}

interface OwnedSeries {
  readonly owner: Owner
  readonly series: RequestSeries
}

/** Requests now, of a route or an instance. */
export interface RequestRate {
  readonly counts: RequestCounts
  readonly overMs: number
}

export interface TrafficStep {
  readonly atMs: number
  readonly generations: readonly GenerationRequests[]
}

export interface EntrypointRequests {
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  readonly counts: RequestCounts
}

/**
 * What the gateways count, added up over all of them: for each generation of a pool over hours, for each route and each instance just now. It is
 * kept in memory by every server: what came before one was started it does not know.
 */
export class RequestStats implements TrafficStats {
  readonly #options: RequestStatsOptions
  readonly #startedAt: number
  readonly #gateways = new Map<string, GatewayRows>()
  readonly #pools = new Map<string, Map<string, OwnedSeries>>()
  readonly #totals = new Map<string, { readonly owner: Owner; readonly counts: number[] }>()
  readonly #routes = new Map<string, RequestMeter>()
  readonly #instances = new Map<string, RequestMeter>()
  /** Of ports of the gateways. */
  readonly connections = new ConnectionStats()
  #sweptAt: number

  constructor(options: RequestStatsOptions) {
    this.#options = options
    this.#startedAt = options.now()
    this.#sweptAt = this.#startedAt
  }

  /** A gateway's word. `begins`: of all that it has counted so far, at the beginning of a link. */
  take(node: string, rows: readonly RequestRow[], begins = false, connections: readonly ConnectionRow[] = []): void {
    if (!this.#isGateway(node)) return
    const now = this.#options.now()
    const gateway = this.#gateways.get(node) ?? { isKnown: false, heardAt: now, rows: new Map() }
    this.#gateways.set(node, gateway)
    for (const row of rows) this.#takeRow(gateway, row, now)
    this.connections.take(node, connections.filter(this.#isOwn), now, !gateway.isKnown)
    if (begins) return
    gateway.isKnown = true
    gateway.heardAt = now
    if (now - this.#sweptAt >= sweepEveryMs) this.#sweep(now)
  }

  window({ app, pool, entrypoint }: PoolOfRequests, fromMs: number, toMs: number): TrafficWindow {
    const all = noRequests()
    const generations = new Map<number, { readonly release: string; readonly counts: number[] }>()
    for (const { owner, series } of this.#pools.get(poolId(app, pool))?.values() ?? []) {
      if (entrypoint !== undefined && owner.entrypoint !== entrypoint) continue
      const counts = series.sum(fromMs, toMs)
      addRequests(all, counts)
      const { generation, release = '' } = owner
      if (generation === undefined || isNothing(counts)) continue
      const known = generations.get(generation) ?? { release, counts: noRequests() }
      generations.set(generation, known)
      addRequests(known.counts, counts)
    }
    const knownToMs = this.knownToMs
    return {
      all: summarizeRequests(all),
      generations: [...generations]
        .sort(([a], [b]) => a - b)
        .map(([generation, each]): GenerationRequests => {
          return { generation, release: each.release, ...summarizeRequests(each.counts) }
        }),
      knownFromMs: this.#startedAt,
      ...(knownToMs === undefined ? {} : { knownToMs }),
    }
  }

  /** The same in steps, for charts: what each generation did in each, the oldest first. A step that `toMs` cuts short is left out. */
  steps(of: PoolOfRequests, fromMs: number, toMs: number, stepMs: number): TrafficStep[] {
    const count = Math.max(0, Math.floor((toMs - fromMs) / stepMs))
    const steps = Array.from({ length: count }, () => new Map<number, { release: string; counts: number[] }>())
    for (const { owner, series } of this.#pools.get(poolId(of.app, of.pool))?.values() ?? []) {
      const { entrypoint, generation, release = '' } = owner
      if (generation === undefined || (of.entrypoint ?? entrypoint) !== entrypoint) continue
      for (const [place, counts] of series.steps(fromMs, toMs, stepMs).entries()) {
        if (isNothing(counts)) continue
        const known = steps[place]?.get(generation) ?? { release, counts: noRequests() }
        steps[place]?.set(generation, known)
        addRequests(known.counts, counts)
      }
    }
    return steps.map((generations, place) => ({
      atMs: fromMs + place * stepMs,
      generations: [...generations]
        .sort(([a], [b]) => a - b)
        .map(([generation, each]) => ({ generation, release: each.release, ...summarizeRequests(each.counts) })),
    }))
  }

  /** By the route's id. */
  routeNow(route: string): RequestRate | undefined {
    return this.#routes.get(route)?.read(this.#options.now())
  }

  instanceNow(instance: string): RequestRate | undefined {
    return this.#instances.get(instance)?.read(this.#options.now())
  }

  /** What each entrypoint has had since this server was started, for Prometheus. */
  totals(): readonly EntrypointRequests[] {
    return [...this.#totals.values()].map(({ owner: { app, pool, entrypoint }, counts }) => ({
      ...{ app, pool, entrypoint, counts },
    }))
  }

  /** Until when every gateway that is online has told its counts, by the one that was heard longest ago; see `TrafficWindow`. */
  get knownToMs(): number | undefined {
    const { state, isOnline } = this.#options
    const serving = [...state.nodes.ids()].filter((node) => this.#isGateway(node) && isOnline(node))
    if (serving.length === 0) return undefined
    let least = Number.POSITIVE_INFINITY
    for (const node of serving) {
      const gateway = this.#gateways.get(node)
      if (gateway?.isKnown !== true) return undefined
      least = Math.min(least, gateway.heardAt)
    }
    return least
  }

  #isGateway = (node: string): boolean => this.#options.state.nodes.get(node)?.labels.gateway === 'true'

  #takeRow(gateway: GatewayRows, row: RequestRow, now: number): void {
    const key = `${row.route}\0${row.pool}\0${row.instance}`
    const known = gateway.rows.get(key)
    if (known === undefined) {
      const owner = this.#ownerOf(row)
      if (owner === 'unknown' || gateway.rows.size >= maxRows) return
      const made = { counts: row.counts, changedAt: now, instance: row.instance, owner }
      gateway.rows.set(key, made)
      if (gateway.isKnown) this.#add(row, made, row.counts, now)
      return
    }
    const more = requestsSince(row.counts, known.counts)
    known.counts = row.counts
    known.changedAt = now
    // Less than before: the gateway has begun anew, and what it counted in between is not known.
    if (more !== undefined) this.#add(row, known, more, now)
  }

  #add({ route, instance }: RequestRow, { owner }: Row, more: RequestCounts, now: number): void {
    if (isNothing(more)) return
    meterOf(this.#routes, route, now).add(now, more)
    if (instance !== '') meterOf(this.#instances, instance, now).add(now, more)
    if (owner === undefined) return
    const { app, pool, entrypoint, generation } = owner
    const id = poolId(app, pool)
    const ofPool = this.#pools.get(id) ?? new Map<string, OwnedSeries>()
    this.#pools.set(id, ofPool)
    const key = `${entrypoint}\0${generation ?? ''}`
    const owned = ofPool.get(key) ?? { owner, series: new RequestSeries() }
    ofPool.set(key, owned)
    owned.series.add(now, more)
    const totalKey = `${id}\0${entrypoint}`
    const total = this.#totals.get(totalKey) ?? { owner, counts: noRequests() }
    this.#totals.set(totalKey, total)
    addRequests(total.counts, more)
  }

  #isOwn = ({ pool, instance }: ConnectionRow): boolean => {
    const found = this.#options.state.instances.get(instance)
    return found !== undefined && pool === `${found.app}/${found.pool}/${found.entrypoint}`
  }

  /** Undefined: an external service has none. */
  #ownerOf(row: RequestRow): Owner | undefined | 'unknown' {
    const { state } = this.#options
    const [app = '', pool = '', entrypoint = ''] = row.pool.split('/')
    if (app === 'external' && entrypoint === '') return state.externals.has(pool) ? undefined : 'unknown'
    if (row.instance === '') return state.pools.has(poolId(app, pool)) ? { app, pool, entrypoint } : 'unknown'
    const instance = state.instances.get(row.instance)
    if (instance?.app !== app || instance.pool !== pool || instance.entrypoint !== entrypoint) return 'unknown'
    return { app, pool, entrypoint, generation: instance.generation, release: instance.release }
  }

  #sweep(now: number): void {
    const { state } = this.#options
    this.#sweptAt = now
    const isServing = (node: string): boolean => this.#isGateway(node) && this.#options.isOnline(node)
    this.connections.sweep(now, isServing, (instance) => state.instances.has(instance))
    for (const [node, { rows }] of this.#gateways) {
      if (!this.#isGateway(node)) this.#gateways.delete(node)
      for (const [key, { changedAt, instance, owner }] of rows)
        if (now - changedAt >= forgetRowsMs && owner !== undefined && !state.instances.has(instance)) rows.delete(key)
    }
    for (const meters of [this.#routes, this.#instances])
      for (const [key, meter] of meters) if (meter.isQuiet(now)) meters.delete(key)
    for (const [id, ofPool] of this.#pools) {
      for (const [key, { series }] of ofPool) if (series.isEmptySince(now - seriesKeepsMs)) ofPool.delete(key)
      if (ofPool.size === 0) this.#pools.delete(id)
    }
    for (const [key, { owner }] of this.#totals)
      if (!state.pools.has(poolId(owner.app, owner.pool))) this.#totals.delete(key)
  }
}

const isNothing = (counts: RequestCounts): boolean => counts.every((count) => count === 0)

function meterOf(meters: Map<string, RequestMeter>, key: string, now: number): RequestMeter {
  const meter = meters.get(key) ?? new RequestMeter(now)
  meters.set(key, meter)
  return meter
}
