import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { type FragmentUse, messageOf, regulateWeights } from '@berth/core'
import type { Logger } from 'pino'
import type { CpuUse } from './container-cgroup.ts'
import type { WatchedFragment } from './core-keeper.ts'

export interface WeightRegulatorOptions {
  /** The fragments of each core that more than one has. */
  readonly sharedCores: () => readonly (readonly WatchedFragment[])[]
  readonly log: Logger
  /** How often it looks while everybody gets what was promised. */
  readonly calmMs?: number
  /** The same while somebody does not. */
  readonly busyMs?: number
  readonly monotonicMs?: () => number
}

/** After the last shortage it goes on looking closely for so long. */
const alertMs = 5_000

interface Reading extends CpuUse {
  readonly atMs: number
  /** Another cgroup counts from 0 again. */
  readonly cgroup: WatchedFragment['cgroup']
}

/**
 * Keeps the promises on shared cores by moving weights (see `regulateWeights`). Two files are read for each fragment at a time, some 20 µs; nothing is
 * remembered that the cgroups do not have, so a new agent goes on where the one before it ended.
 */
export class WeightRegulator implements AsyncDisposable {
  readonly #options: WeightRegulatorOptions
  readonly #now: () => number
  readonly #closing = new AbortController()
  readonly #loop: Promise<void>
  #last = new Map<string, Reading>()
  #starving: ReadonlySet<string> = new Set()
  #alertUntil = 0

  constructor(options: WeightRegulatorOptions) {
    this.#options = options
    this.#now = options.monotonicMs ?? (() => performance.now())
    this.#loop = this.#run()
  }

  /** Who got less than was promised when it was last looked at. */
  get starving(): ReadonlySet<string> {
    return this.#starving
  }

  /** Looks at every shared core once and moves weights where somebody starves. */
  step(): void {
    const readings = new Map<string, Reading>()
    const starving = new Set<string>()
    for (const fragments of this.#options.sharedCores()) {
      try {
        const uses = fragments.flatMap((fragment) => this.#use(fragment, readings))
        // Who was not there the last time is weighed from the next time on.
        if (uses.length < fragments.length) continue
        for (const instance of this.#regulate(fragments, uses)) starving.add(instance)
      } catch (error) {
        this.#options.log.debug({ reason: messageOf(error) }, 'a container has gone from a shared core')
      }
    }
    this.#last = readings
    this.#noteStarving(starving)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#loop
  }

  #use(fragment: WatchedFragment, readings: Map<string, Reading>): FragmentUse[] {
    const { instance, cgroup, promisedMilli, fragmentMilli } = fragment
    const before = this.#last.get(instance)
    const reading = { ...cgroup.use(), atMs: this.#now(), cgroup }
    readings.set(instance, reading)
    const shares = cgroup.settings().shares
    if (before === undefined || before.cgroup !== cgroup || shares === undefined) return []
    const ns = (reading.atMs - before.atMs) * 1e6
    if (ns <= 0) return []
    const usedMilli = Math.max(0, Math.round(((reading.usedNs - before.usedNs) * 1000) / ns))
    const waiting = Math.min(1, Math.max(0, reading.waitedNs - before.waitedNs) / ns)
    return [{ instance, promisedMilli, fragmentMilli, usedMilli, waiting, shares }]
  }

  #regulate(fragments: readonly WatchedFragment[], uses: readonly FragmentUse[]): readonly string[] {
    const { shares, starving } = regulateWeights(uses)
    for (const [instance, next] of shares) {
      fragments.find((fragment) => fragment.instance === instance)?.cgroup.write({ shares: next })
    }
    if (shares.size > 0) this.#options.log.debug({ starving, shares: Object.fromEntries(shares) }, 'weights moved')
    return starving
  }

  #noteStarving(starving: ReadonlySet<string>): void {
    const fresh = [...starving].filter((instance) => !this.#starving.has(instance))
    if (fresh.length > 0 && this.#now() >= this.#alertUntil) {
      this.#options.log.info({ instances: fresh }, 'get less of a shared core than was promised: weights are moved')
    }
    if (starving.size > 0) this.#alertUntil = this.#now() + alertMs
    this.#starving = starving
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    const { calmMs = 2000, busyMs = 500 } = this.#options
    while (!signal.aborted) {
      this.step()
      const pause = this.#now() < this.#alertUntil ? busyMs : calmMs
      await delay(pause, undefined, { signal, ref: false }).catch(() => {})
    }
  }
}
