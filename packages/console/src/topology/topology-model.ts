import type { AppView, PoolView } from '@berth/api/app-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { RouteView } from '@berth/api/traffic-resources'
import { instanceState, type Shown, type Tone } from '../live/states.ts'
import type { InstanceTraffic, RouteTraffic, Traffic } from '../metrics/use-traffic.ts'

/** Requests a second, and what became of them. */
export interface Flow {
  readonly perSecond: number
  readonly failedPerSecond: number
  readonly lostPerSecond: number
  readonly p95Ms?: number | undefined
}

export interface RoutePart extends Flow {
  readonly url: string
  readonly name: string
  readonly problem?: 'no-members' | 'maintenance'
  /** A port of the gateways: no browser opens it, and no requests are counted there. */
  readonly isPort?: true
}

export interface InstancePart extends Flow {
  readonly id: string
  readonly name: string
  readonly shown: Shown
  /** Absent: the instance itself is not known here, only that gateways send requests to it. */
  readonly node?: string | undefined
  readonly site?: string | undefined
  readonly generation?: number | undefined
}

/** What runs of one generation, and which part of the requests it gets (0 to 1). */
export interface GenerationPart {
  readonly release: string
  readonly generation: number
  readonly instances: number
  readonly share?: number
}

/** One target with the routes that lead to it and the instances behind it. Every route has one target, so no line crosses another. */
export interface Band extends Flow {
  /** `shop/production/web`, or `external mysql`. */
  readonly key: string
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  readonly external?: string | undefined
  readonly routes: readonly RoutePart[]
  readonly instances: readonly InstancePart[]
  readonly generations: readonly GenerationPart[]
  readonly sites: readonly string[]
  readonly ready: number
  readonly wanted: number
  readonly rollout?: string | undefined
  readonly tone: Tone
}

export interface TopologyFacts {
  readonly routes: readonly RouteView[]
  readonly apps: readonly AppView[]
  /** Those that are known; gateways' members stand for the others. */
  readonly instances: readonly InstanceView[]
  /** Node by name → its site. */
  readonly sites: ReadonlyMap<string, string>
  readonly traffic: Traffic
}

export const bandKey = ({
  app,
  pool,
  entrypoint,
  external,
}: Pick<RouteView, 'app' | 'pool' | 'entrypoint' | 'external'>) =>
  external === undefined ? `${app}/${pool}/${entrypoint}` : `external ${external}`

/** All targets of routes by name, each with what it gets now. */
export function bandsOf(facts: TopologyFacts): Band[] {
  const pools = new Map(facts.apps.flatMap(({ pools }) => pools.map((pool) => [`${pool.app}/${pool.name}`, pool])))
  const instances = Map.groupBy(facts.instances.filter(isServing), (each) => bandKey(each))
  const routes = Map.groupBy(facts.routes, bandKey)
  return [...routes]
    .map(([key, own]) => bandOf(key, own, pools, instances.get(key) ?? [], facts))
    .toSorted((a, b) => a.key.localeCompare(b.key))
}

const isServing = ({ type, phase }: InstanceView): boolean => type === 'service' && phase !== 'ended'

function bandOf(
  key: string,
  routes: readonly RouteView[],
  pools: ReadonlyMap<string, PoolView>,
  known: readonly InstanceView[],
  { sites, traffic }: TopologyFacts,
): Band {
  const { app = '', pool: name = '', entrypoint = '', external } = routes[0] ?? {}
  const pool = pools.get(`${app}/${name}`)
  const parts = routes.map((route) => routePart(route, traffic.routes.get(route.url)))
  const instances = instanceParts(routes, known, sites, traffic)
  const service = pool?.entrypoints.find((each) => each.name === entrypoint)
  const ready = service?.ready ?? instances.filter(({ shown }) => shown.tone === 'ok').length
  const band = {
    ...{ key, app, pool: name, entrypoint, external, instances, ready },
    routes: parts.toSorted((a, b) => a.name.localeCompare(b.name)),
    wanted: service?.wanted ?? instances.length,
    generations: generationsOf(known, pool, traffic.instances),
    sites: [...new Set(instances.flatMap(({ site }) => site ?? []))].toSorted(),
    rollout: pool?.rollout,
    ...sumOf(parts),
  }
  return { ...band, tone: toneOf(band) }
}

function routePart(route: RouteView, traffic: RouteTraffic | undefined): RoutePart {
  const { url, host, path, members, maintenance } = route
  const problem = maintenance ? 'maintenance' : members.length === 0 ? 'no-members' : undefined
  const name = host === '' ? { name: url, isPort: true as const } : { name: host + (path === '/' ? '' : path) }
  return { url, ...name, ...flowOf(traffic), ...(problem && { problem }) }
}

function instanceParts(
  routes: readonly RouteView[],
  known: readonly InstanceView[],
  sites: TopologyFacts['sites'],
  { instances }: Traffic,
): InstancePart[] {
  const parts = known.map((instance): InstancePart => {
    const { id, name, node, generation } = instance
    const site = node === undefined ? undefined : sites.get(node)
    return { ...{ id, name, node, site, generation }, shown: instanceState(instance), ...flowOf(instances.get(id)) }
  })
  const isKnown = new Set(known.map(({ id }) => id))
  const others = new Map<string, InstancePart>()
  for (const { external, members } of routes)
    for (const { instance: id, address, port, state } of members) {
      const name = external === undefined ? (id.split('.').at(-1) ?? id) : `${address}:${port}`
      if (!isKnown.has(id)) others.set(id, { id, name, shown: memberState(state), ...flowOf(instances.get(id)) })
    }
  return [...parts, ...others.values()].toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}

const memberState = (state: string): Shown =>
  state === 'active' ? { tone: 'ok', label: 'ready' } : { tone: 'busy', label: 'draining' }

const flowOf = (traffic: RouteTraffic | InstanceTraffic | undefined): Flow => ({
  perSecond: traffic?.perSecond ?? 0,
  failedPerSecond: traffic?.errors5xxPerSecond ?? 0,
  lostPerSecond: traffic?.lostPerSecond ?? 0,
  p95Ms: traffic?.p95Ms,
})

/** Times of several cannot be added up: the slowest stands for them. */
function sumOf(flows: readonly Flow[]): Flow {
  const sum = (of: (flow: Flow) => number): number => flows.reduce((all, each) => all + of(each), 0)
  const times = flows.flatMap(({ p95Ms }) => p95Ms ?? [])
  return {
    perSecond: sum(({ perSecond }) => perSecond),
    failedPerSecond: sum(({ failedPerSecond }) => failedPerSecond),
    lostPerSecond: sum(({ lostPerSecond }) => lostPerSecond),
    p95Ms: times.length === 0 ? undefined : Math.max(...times),
  }
}

function generationsOf(
  known: readonly InstanceView[],
  pool: PoolView | undefined,
  traffic: Traffic['instances'],
): GenerationPart[] {
  const of = (each: InstanceView): number => traffic.get(each.id)?.perSecond ?? 0
  const all = known.reduce((sum, each) => sum + of(each), 0)
  const parts = [...Map.groupBy(known, ({ generation }) => generation)].map(([generation, own]): GenerationPart => {
    const part = { release: own[0]?.release ?? '', generation, instances: own.length }
    return all === 0 ? part : { ...part, share: own.reduce((sum, each) => sum + of(each), 0) / all }
  })
  if (parts.length > 0) return parts.toSorted((a, b) => a.generation - b.generation)
  if (pool?.release === undefined) return []
  return [{ release: pool.release, generation: pool.generation, instances: 0 }]
}

function toneOf(band: Omit<Band, 'tone'>): Tone {
  if (band.failedPerSecond > 0 || band.routes.some(({ problem }) => problem === 'no-members')) return 'bad'
  if (band.ready < band.wanted || band.routes.some(({ problem }) => problem !== undefined)) return 'warn'
  return band.rollout === undefined ? 'ok' : 'busy'
}

export interface Wanted {
  readonly text: string
  readonly app: string
  readonly problems: boolean
  readonly busiest: boolean
}

/** Those that are looked for. Busiest first goes by powers of two, so that what is about alike does not change places all the time. */
export function chosenBands(bands: readonly Band[], { text, app, problems, busiest }: Wanted): Band[] {
  const wanted = text.trim().toLowerCase()
  const chosen = bands.filter(
    (band) =>
      (app === '' || band.app === app) &&
      (!problems || band.tone === 'bad' || band.tone === 'warn') &&
      (band.key.toLowerCase().includes(wanted) ||
        band.routes.some(({ name }) => name.toLowerCase().includes(wanted)) ||
        band.instances.some(({ id, node = '' }) => id.includes(wanted) || node.includes(wanted))),
  )
  return busiest ? chosen.toSorted((a, b) => rank(b) - rank(a)) : chosen
}

const rank = ({ perSecond }: Flow): number => Math.floor(Math.log2(1 + perSecond))

const widest = 12

/** In pixels: a thin line for nothing, 2.5 wider for each ten times as many requests. */
export const flowWidth = ({ perSecond }: Flow): number => Math.min(widest, 1 + 2.5 * Math.log10(1 + perSecond))
