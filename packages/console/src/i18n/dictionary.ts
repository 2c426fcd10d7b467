import type { english } from './english.ts'
import type { englishActions } from './english-actions.ts'
import type { englishAdmin } from './english-admin.ts'
import type { englishApps } from './english-apps.ts'
import type { englishGroups } from './english-groups.ts'
import type { englishHealth } from './english-health.ts'
import type { englishNetwork } from './english-network.ts'
import type { englishSchedule } from './english-schedule.ts'
import type { englishTraffic } from './english-traffic.ts'

/** The same keys and the same arguments, other words. */
type Words<T> = {
  readonly [K in keyof T]: T[K] extends string
    ? string
    : T[K] extends (...args: infer A) => string
      ? (...args: A) => string
      : Words<T[K]>
}

export type Dictionary = Words<typeof english>
export type ActionDictionary = Words<typeof englishActions>
export type AppDictionary = Words<typeof englishApps>
export type AdminDictionary = Words<typeof englishAdmin>
export type HealthDictionary = Words<typeof englishHealth>
export type ScheduleDictionary = Words<typeof englishSchedule>
export type GroupDictionary = Words<typeof englishGroups>
export type NetworkDictionary = Words<typeof englishNetwork>
export type TrafficDictionary = Words<typeof englishTraffic>
