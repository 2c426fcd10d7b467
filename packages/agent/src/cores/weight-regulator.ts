import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { type FragmentUse, messageOf, regulateWeights } from '@berth/core'
import type { Logger } from 'pino'
import type { CpuUse } from './container-cgroup.ts'
import type { SharedCore, WatchedFragment } from './core-keeper.ts'

export interface WeightRegulatorOptions {
  readonly sharedCores: () => readonly SharedCore[]
  readonly log: Logger
  /** How often it looks at a core while everybody there gets what was promised. */
  readonly calmMs?: number
  /** The same while somebody does not. */
  readonly busyMs?: number
  readonly monotonicMs?: () => number
}

/** After a shortage a core is looked at closely for so long. */
const alertMs = 5_000

interface Reading extends CpuUse {
  readonly atMs: number
  /** Another cgroup counts from 0 again. */
  readonly cgroup: WatchedFragment['cgroup']
}

/** What is known of one shared core. */
interface CoreState {
  readonly readings: ReadonlyMap<string, Reading>
  readonly starving: readonly string[]
  readonly alertUntilMs: number
}

const newCore: CoreState = { readings: new Map(), starving: [], alertUntilMs: 0 }

/**
 * Keeps the promises on shared cores by moving weights (see `regulateWeights`). Of each fragment three small files are read at a time, some 30 µs
 * together, and of calm cores seldom. Nothing is remembered that the cgroups do not have, so a new agent goes on where the one before it ended.
 */
export class WeightRegulator implements AsyncDisposable {
  readonly #options: WeightRegulatorOptions
  readonly #now: () => number
  readonly #closing = new AbortController()
  readonly #loop: Promise<void>
  #cores: ReadonlyMap<number, CoreState> = new Map()

  constructor(options: WeightRegulatorOptions) {
    this.#options = options
    this.#now = options.monotonicMs ?? (() => performance.now())
    this.#loop = this.#run()
  }

  /** Who got less than was promised when it was last looked at. */
  get starving(): ReadonlySet<string> {
    return new Set([...this.#cores.values()].flatMap(({ starving }) => starving))
  }

  /** Looks at shared cores once, `all` or only where somebody starved lately, and moves weights where somebody starves. */
  step(all = true): void {
    const cores = new Map<number, CoreState>()
    for (const shared of this.#options.sharedCores()) {
      const state = this.#cores.get(shared.core) ?? newCore
      const isDue = all || this.#now() < state.alertUntilMs
      cores.set(shared.core, isDue ? this.#look(shared, state) : state)
    }
    this.#cores = cores
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#loop
  }

  #look({ core, fragments }: SharedCore, state: CoreState): CoreState {
    const { log } = this.#options
    try {
      const readings = new Map(fragments.map(({ instance, cgroup }) => [instance, this.#read(cgroup)]))
      const uses = fragments.flatMap((fragment) => useOf(fragment, state.readings, readings))
      // Who was not there the last time is weighed from the next time on.
      const starving = uses.length < fragments.length ? [] : this.#regulate(fragments, uses)
      if (starving.length > 0 && this.#now() >= state.alertUntilMs) {
        log.info({ core, instances: starving }, 'get less of a shared core than was promised: weights are moved')
      }
      const alertUntilMs = starving.length > 0 ? this.#now() + alertMs : state.alertUntilMs
      return { readings, starving, alertUntilMs }
    } catch (error) {
      log.debug({ core, reason: messageOf(error) }, 'a container has gone from a shared core')
      return newCore
    }
  }

  #read(cgroup: WatchedFragment['cgroup']): Reading {
    return { ...cgroup.use(), atMs: this.#now(), cgroup }
  }

  #regulate(fragments: readonly WatchedFragment[], uses: readonly FragmentUse[]): readonly string[] {
    const { shares, starving } = regulateWeights(uses)
    for (const [instance, next] of shares) {
      fragments.find((fragment) => fragment.instance === instance)?.cgroup.write({ shares: next })
    }
    if (shares.size > 0) this.#options.log.debug({ starving, shares: Object.fromEntries(shares) }, 'weights moved')
    return starving
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    const { calmMs = 2000, busyMs = 500 } = this.#options
    let allAt = this.#now()
    while (!signal.aborted) {
      const all = this.#now() >= allAt
      if (all) allAt = this.#now() + calmMs
      this.step(all)
      const isAlert = [...this.#cores.values()].some(({ alertUntilMs }) => this.#now() < alertUntilMs)
      const pause = isAlert ? busyMs : Math.max(1, allAt - this.#now())
      await delay(pause, undefined, { signal, ref: false }).catch(() => {})
    }
  }
}

/** Nothing without an earlier reading of the same cgroup. */
function useOf(
  { instance, cgroup, promisedMilli, fragmentMilli }: WatchedFragment,
  before: ReadonlyMap<string, Reading>,
  after: ReadonlyMap<string, Reading>,
): FragmentUse[] {
  const [from, to] = [before.get(instance), after.get(instance)]
  const shares = cgroup.shares()
  if (from === undefined || to === undefined || from.cgroup !== cgroup || shares === undefined) return []
  const ns = (to.atMs - from.atMs) * 1e6
  if (ns <= 0) return []
  const usedMilli = Math.max(0, Math.round(((to.usedNs - from.usedNs) * 1000) / ns))
  const waiting = Math.min(1, Math.max(0, to.waitedNs - from.waitedNs) / ns)
  return [{ instance, promisedMilli, fragmentMilli, usedMilli, waiting, shares }]
}
