import { readFile, rename } from 'node:fs/promises'
import type { SampleView, UsageReport } from '@berth/api'
import {
  type Assignment,
  type InstanceExit,
  LogHistogram,
  messageOf,
  type UsageDay,
  type UsageSeries,
} from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { decodeChecked, encodeChecked } from '../state/checked-json.ts'

const format = 1
const dayMs = 86_400_000
/** Besides the present one. */
const keptDays = 7
/** An entrypoint has one for each grant that it had here in a week. The one that was not heard of for longest makes way. */
const maxSeries = 1000

export type UsageSubject = Pick<Assignment, 'app' | 'pool' | 'entrypoint' | 'type' | 'cpuMilli' | 'memoryBytes'>

export interface UsageHistoryOptions {
  readonly path: string
  readonly log: Logger
  /** What a sample stands for. */
  readonly sampleMs: number
  readonly now?: () => number
}

interface Saved {
  readonly savedAt: number
  readonly series: readonly UsageSeries[]
}

type Today = { -readonly [K in keyof Omit<UsageDay, 'cpu'>]: UsageDay[K] } & { readonly cpu: LogHistogram }

interface Series {
  readonly head: Omit<UsageSeries, 'days'>
  days: readonly UsageDay[]
  today: Today | undefined
}

/**
 * What entrypoints used here, day by day, in counts of a bounded size: the last week of it, however long ago their instances ended. Kept in
 * a file now and then, so that an agent that is killed loses minutes.
 */
export class UsageHistory implements AsyncDisposable {
  readonly #options: UsageHistoryOptions
  readonly #now: () => number
  readonly #series = new Map<string, Series>()
  /** The last exit of each instance that was counted. */
  readonly #exits = new Map<string, number>()
  #countedUntil: number

  private constructor(options: UsageHistoryOptions, saved: Saved | undefined) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#countedUntil = saved?.savedAt ?? this.#now()
    for (const { days, ...head } of saved?.series ?? [])
      this.#series.set(keyOf(head), reopened(head, days, this.#now()))
  }

  /** A file that cannot be read is set aside, and the history begins anew. */
  static async open(options: UsageHistoryOptions): Promise<UsageHistory> {
    const { path, log } = options
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) return new UsageHistory(options, undefined)
    try {
      return new UsageHistory(options, decodeChecked<Saved>(format, text, path))
    } catch (error) {
      log.warn({ path, reason: messageOf(error) }, 'the history of use is set aside and begins anew')
      await rename(path, `${path}.corrupt`).catch(() => undefined)
      return new UsageHistory(options, undefined)
    }
  }

  note(subject: UsageSubject, sample: SampleView): void {
    const today = this.#today(subject, sample.at)
    today.samples += 1
    today.firstAt = Math.min(today.firstAt, sample.at)
    today.lastAt = Math.max(today.lastAt, sample.at)
    today.cpu.add(sample.cpuMilli)
    today.cpuMaxMilli = Math.max(today.cpuMaxMilli, sample.cpuMilli)
    today.memoryMaxBytes = Math.max(today.memoryMaxBytes, sample.memoryBytes)
    today.throttledMilli += sample.throttledPeriodsMilli ?? 0
  }

  /** Told as often as one likes: each exit is counted once. */
  noteExit(instance: string, subject: UsageSubject, exit: InstanceExit): void {
    if (exit.at <= (this.#exits.get(instance) ?? this.#countedUntil)) return
    this.#exits.set(instance, exit.at)
    const today = this.#today(subject, exit.at)
    today.restarts += 1
    if (exit.outOfMemory) today.outOfMemory += 1
  }

  /** It has ended and is told of no more. */
  forget(instance: string): void {
    this.#exits.delete(instance)
  }

  report(): UsageReport {
    const since = dayOf(this.#now()) - keptDays
    const items = [...this.#series.values()].map(({ head, days, today }): UsageSeries => {
      const all = today === undefined ? days : [...days, closed(today)]
      return { ...head, days: all.filter((each) => each.day >= since) }
    })
    return { sampleMs: this.#options.sampleMs, items: items.filter((each) => each.days.length > 0) }
  }

  async save(): Promise<void> {
    const { path, log } = this.#options
    const saved: Saved = { savedAt: this.#now(), series: this.report().items }
    try {
      await writeFileAtomic(path, encodeChecked(format, saved))
    } catch (error) {
      log.warn({ path, reason: messageOf(error) }, 'the history of use could not be written; it is tried again')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.save()
  }

  #today(subject: UsageSubject, at: number): Today {
    const { app, pool, entrypoint, type, cpuMilli, memoryBytes } = subject
    const head = { type, cpuLimitMilli: cpuMilli, memoryLimitBytes: memoryBytes }
    const series = this.#seriesOf({ entrypoint: `${app}/${pool}/${entrypoint}`, ...head })
    const day = dayOf(at)
    // A clock that was set back does not begin a day again.
    if (series.today !== undefined && day <= series.today.day) return series.today
    if (series.today !== undefined) {
      const since = day - keptDays
      series.days = [...series.days, closed(series.today)].filter((each) => each.day >= since)
    }
    series.today = newDay(day, at)
    return series.today
  }

  #seriesOf(head: Series['head']): Series {
    const key = keyOf(head)
    const known = this.#series.get(key)
    if (known !== undefined) return known
    if (this.#series.size >= maxSeries) this.#dropOldest()
    const series: Series = { head, days: [], today: undefined }
    this.#series.set(key, series)
    return series
  }

  #dropOldest(): void {
    const lastAt = ({ days, today }: Series): number => today?.lastAt ?? days.at(-1)?.lastAt ?? 0
    let [oldest, at] = ['', Number.POSITIVE_INFINITY]
    for (const [key, series] of this.#series) if (lastAt(series) < at) [oldest, at] = [key, lastAt(series)]
    this.#series.delete(oldest)
  }
}

const dayOf = (at: number): number => Math.floor(at / dayMs)

const keyOf = ({ entrypoint, type, cpuLimitMilli, memoryLimitBytes }: Series['head']): string =>
  `${entrypoint} ${type} ${cpuLimitMilli} ${memoryLimitBytes}`

const newDay = (day: number, at: number): Today => ({
  ...{ day, samples: 0, firstAt: at, lastAt: at, cpu: new LogHistogram() },
  ...{ cpuMaxMilli: 0, memoryMaxBytes: 0, throttledMilli: 0, restarts: 0, outOfMemory: 0 },
})

const closed = (today: Today): UsageDay => ({ ...today, cpu: today.cpu.counts() })

/** The present day goes on where it was. */
function reopened(head: Series['head'], days: readonly UsageDay[], now: number): Series {
  const last = days.at(-1)
  if (last === undefined || last.day !== dayOf(now)) return { head, days, today: undefined }
  return { head, days: days.slice(0, -1), today: { ...last, cpu: LogHistogram.of(last.cpu) } }
}
