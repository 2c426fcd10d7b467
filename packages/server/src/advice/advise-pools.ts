import type { AdviceView, SizesView } from '@berth/api'
import {
  type Advice,
  advise,
  BerthError,
  cpuOnNode,
  defaultGroup,
  type EntrypointSpec,
  formatBytes,
  formatCpu,
  type GroupRule,
  isSystem,
  leastObservationMs,
  nodeGroupOf,
  type ObservedSeries,
  type Pool,
  pieceMilli,
  resolveSpec,
  type Sizes,
  sizesOf,
  sumUsage,
  type Usage,
} from '@berth/core'
import { requireApp, requirePool } from '../controllers/operations/lookup.ts'
import type { GatheredUsage } from '../metrics/gather-usage.ts'
import type { State } from '../records/index.ts'

export interface AdviceQuery {
  readonly app?: string | undefined
  readonly pool?: string | undefined
  readonly entrypoint?: string | undefined
  readonly leastMs?: number | undefined
  readonly windowMs?: number | undefined
}

const weekMs = 7 * 86_400_000
const defaultSampleMs = 2000
const defaultPool = 'production'

/** Throws `app.not-found`, `pool.not-found` and `entrypoint.not-found` for what is named and is not there. */
export function advisePools(state: State, gathered: GatheredUsage, query: AdviceQuery, now: number): AdviceView[] {
  const pools = poolsOf(state, query)
  const views = pools.flatMap((pool) => advisePool(state, gathered, pool, query, now))
  if (query.entrypoint === undefined || views.length > 0) return views
  throw new BerthError(
    'entrypoint.not-found',
    `advise about ${query.app ?? 'apps'}: no entrypoint ${query.entrypoint} of what runs there`,
    { details: { entrypoint: query.entrypoint } },
  )
}

function poolsOf(state: State, { app, pool }: AdviceQuery): Pool[] {
  if (app !== undefined && pool !== undefined) return [requirePool(state, app, pool)]
  if (app !== undefined) return state.pools.byApp(requireApp(state, app).name)
  return [...state.pools.values()].filter((each) => pool === undefined || each.name === pool)
}

function advisePool(state: State, gathered: GatheredUsage, pool: Pool, query: AdviceQuery, now: number): AdviceView[] {
  const release = pool.release === undefined ? undefined : state.releases.find(pool.app, pool.release)
  if (release === undefined) return []
  return Object.entries(resolveSpec(release.spec, pool.environment).entrypoints)
    .filter(([name]) => query.entrypoint === undefined || query.entrypoint === name)
    .map(([name, spec]) => adviseOne(state, gathered, pool, name, spec, query, now))
}

function adviseOne(
  state: State,
  { reports }: GatheredUsage,
  pool: Pool,
  name: string,
  spec: EntrypointSpec,
  { leastMs = leastObservationMs, windowMs = weekMs }: AdviceQuery,
  now: number,
): AdviceView {
  const asked = sizesOf(name, spec, pool)
  const rule = state.groups.find(nodeGroupOf(spec, pool)) ?? defaultGroup
  const series = [...reports].flatMap(([node, { items }]) =>
    items
      .filter((each) => each.entrypoint === `${pool.app}/${pool.name}/${name}` && each.type === spec.type)
      .map((each) => observed(each, asked, rule, state.nodes.get(node)?.speedMilli ?? 1000)),
  )
  const usage = sumUsage(series, now - windowMs)
  const isCounted = spec.type === 'service' && !isSystem(spec)
  const replicas = pool.replicas[name]?.count ?? 0
  const advice = advise({
    ...{ asked, pieceMilli: pieceMilli(rule), leastMs },
    sampleMs: [...reports.values()][0]?.sampleMs ?? defaultSampleMs,
    ...(usage === undefined ? {} : { usage }),
    ...(isCounted ? { replicas } : {}),
  })
  const instances = isCounted ? replicas : spec.type === 'job' ? 0 : running(state, pool, name)
  return viewOf(pool, name, spec, asked, usage, advice, instances)
}

/** Of the present sizes, whatever the node makes of them. */
function observed(
  series: Omit<ObservedSeries, 'speedMilli' | 'isCurrent'>,
  asked: Sizes,
  rule: GroupRule,
  speedMilli: number,
): ObservedSeries {
  const cpu = asked.cpuMilli === undefined ? series.cpuLimitMilli : cpuOnNode(asked.cpuMilli, speedMilli, rule)
  const isCurrent =
    series.cpuLimitMilli === cpu && (asked.memoryBytes ?? series.memoryLimitBytes) === series.memoryLimitBytes
  return { ...series, speedMilli, isCurrent }
}

const running = (state: State, pool: Pool, name: string): number =>
  state.instances.byPool(pool.app, pool.name).filter((each) => each.entrypoint === name && each.desired === 'run')
    .length

function viewOf(
  { app, name: pool }: Pool,
  entrypoint: string,
  { type }: EntrypointSpec,
  asked: Sizes,
  usage: Usage | undefined,
  advice: Advice,
  instances: number,
): AdviceView {
  const base = {
    ...{ app, pool, entrypoint, type, instances, asked, kind: advice.kind, reasons: [...advice.reasons] },
    ...(usage === undefined ? {} : { used: usage }),
  }
  if (advice.kind === 'wait') return { ...base, moreMs: advice.moreMs }
  const { cpuMilli, memoryBytes, replicasInstead, confidence } = advice
  const target = pool === defaultPool ? `${app}/${entrypoint}` : `${app}/${entrypoint}@${pool}`
  const changed = changedSizes(asked, { cpuMilli, memoryBytes })
  return {
    ...base,
    ...{ confidence, advised: { cpuMilli, memoryBytes } },
    frees: {
      cpuMilli: ((asked.cpuMilli ?? 0) - cpuMilli) * instances,
      memoryBytes: ((asked.memoryBytes ?? 0) - memoryBytes) * instances,
    },
    ...(replicasInstead === undefined
      ? {}
      : { replicasInstead, commandInstead: `berth scale ${target} ${replicasInstead}` }),
    ...(advice.kind === 'keep'
      ? {}
      : { command: ['berth resize', target, ...optionsOf(changed)].join(' '), yaml: yamlOf(changed) }),
  }
}

const changedSizes = (asked: Sizes, { cpuMilli, memoryBytes }: Pick<Sizes, 'cpuMilli' | 'memoryBytes'>): SizesView => ({
  ...(cpuMilli === asked.cpuMilli ? {} : { cpuMilli }),
  ...(memoryBytes === asked.memoryBytes ? {} : { memoryBytes }),
})

const optionsOf = ({ cpuMilli, memoryBytes }: SizesView): string[] => [
  ...(cpuMilli === undefined ? [] : [`--cpu ${formatCpu(cpuMilli)}`]),
  ...(memoryBytes === undefined ? [] : [`--memory ${formatBytes(memoryBytes)}`]),
]

const yamlOf = ({ cpuMilli, memoryBytes }: SizesView): string[] => [
  ...(cpuMilli === undefined ? [] : [`cpu: ${formatCpu(cpuMilli)}`]),
  ...(memoryBytes === undefined ? [] : [`memory: ${formatBytes(memoryBytes)}`]),
]
