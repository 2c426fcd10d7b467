import type { CoreReport, SampleView } from '@berth/api'
import { type Grant, parseCoreList, promisedMilli } from '@berth/core'
import type { Collector } from '../metrics/collector.ts'
import type { CoreKeeper } from './core-keeper.ts'
import type { WeightRegulator } from './weight-regulator.ts'

export interface CoreReportSources {
  readonly now: number
  readonly keeper: Pick<CoreKeeper, 'unbound' | 'grants' | 'cgroupOf'>
  readonly collector: Pick<Collector, 'cores' | 'since'>
  readonly regulator: Pick<WeightRegulator, 'starving'>
}

/** Older samples say nothing of now. */
const recentMs = 10_000

export function coreReport({ now, keeper, collector, regulator }: CoreReportSources): CoreReport {
  const { isBound, cpuset } = keeper.unbound
  const open = isBound ? parseCoreList(cpuset) : undefined
  const cores = collector.cores().map(({ core, busyMilli }) => ({
    core,
    busyMilli,
    unbound: open === undefined || (open.ok && open.value.includes(core)),
  }))
  const samples = new Map(collector.since(now - recentMs).map((each) => [each.instance, each.samples.at(-1)]))
  const instances = [...keeper.grants].flatMap(([instance, grant]) => {
    const settings = settingsOf(keeper, instance)
    if (settings === undefined) return []
    const starving = regulator.starving.has(instance)
    return [{ instance, ...owned(grant), ...settings, ...used(samples.get(instance)), starving }]
  })
  return { at: now, cores, instances }
}

/** What the kernel has, not what was wanted; undefined for what does not run. */
function settingsOf(keeper: CoreReportSources['keeper'], instance: string) {
  try {
    const settings = keeper.cgroupOf(instance)?.settings()
    if (settings === undefined) return undefined
    return { cpuset: settings.cpuset ?? '', shares: settings.shares ?? 0, quotaMilli: settings.quotaMilli ?? 0 }
  } catch {
    return undefined
  }
}

const owned = (grant: Grant) => ({
  ...(grant.cores === undefined ? {} : { cores: grant.cores, burst: grant.burst ?? ('share' as const) }),
  promisedMilli: promisedMilli(grant),
})

const used = (sample: SampleView | undefined) => ({
  usedMilli: sample?.cpuMilli ?? 0,
  throttledMilli: sample?.throttledMilli ?? 0,
  ...(sample?.throttledPeriodsMilli === undefined ? {} : { throttledPeriodsMilli: sample.throttledPeriodsMilli }),
})
