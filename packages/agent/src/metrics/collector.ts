import { performance } from 'node:perf_hooks'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { MetricsView, SampleView } from '@berth/api'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Roots } from './container-cgroups.ts'
import { type ContainerSource, openContainer } from './container-source.ts'
import { type Counters, type LimitDrops, type Reading, sampleBetween, trafficOf } from './counters.ts'
import { type NodeReading, readNode } from './node-source.ts'
import { SampleRing } from './sample-ring.ts'

/** What to read for one instance. */
export interface WatchTarget {
  readonly containerId: string
  /** Of the container's first process; its cgroups and its network are read. */
  readonly pid: number
  readonly cpuLimitMilli: number
  readonly memoryLimitBytes: number
}

export interface InstanceCounters {
  readonly instance: string
  readonly cpuLimitMilli: number
  readonly memoryLimitBytes: number
  readonly counters: Counters
}

/**
 * Reads cgroups and /proc of the watched instances and of the node at a fixed interval, and keeps the last minutes. Nothing is asked of
 * Docker. Closing it stops the readings.
 */
export interface Collector extends AsyncDisposable {
  /** Also for a changed pid (the container was started again) or changed limits: the samples so far stay. */
  watch(instance: string, target: WatchTarget): void
  forget(instance: string): void
  /** Samples after `sinceMs` (milliseconds since the epoch) of every watched instance; all that are kept when it is absent. */
  since(sinceMs?: number): MetricsView[]
  /** The same of the node itself. */
  nodeSince(sinceMs?: number): SampleView[]
  /** The last reading of every watched instance that could be read. */
  counters(): readonly InstanceCounters[]
  nodeCounters(): Counters | undefined
  /** How busy each core was between the last two readings, and how long since it was switched on. */
  cores(): readonly CoreLoad[]
}

export interface CoreLoad {
  readonly core: number
  /** Thousandths of the time in which it was not idle. */
  readonly busyMilli: number
  readonly busyNs: number
}

/** A collector that reads what the kernel says. */
export interface KernelCollector extends Collector {
  /** Takes a reading now, besides the regular ones. */
  read(): Promise<void>
}

export interface CollectorOptions extends Partial<Roots> {
  /** Name of this node, for {@link MetricsView}. */
  readonly node: string
  readonly log: Logger
  readonly intervalMs?: number
  readonly keepMs?: number
  readonly clock?: Clock
  /** What queues of an instance's limits dropped so far, where it has any. */
  readonly limitDrops?: (instance: string) => LimitDrops | undefined
  /** Told every sample of an instance. */
  readonly onSample?: (instance: string, sample: SampleView) => void
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Of a clock that only goes forward. */
  monotonicMs(): number
}

const systemClock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() }

export const defaultIntervalMs = 2000

/** Readings are taken in slices of so many instances, so that requests are served in between. */
const sliceSize = 16

export function createCollector(options: CollectorOptions): KernelCollector {
  return new PeriodicCollector(options)
}

interface Watched {
  target: WatchTarget
  readonly ring: SampleRing
  source: ContainerSource | undefined
  last: Reading | undefined
}

class PeriodicCollector implements KernelCollector {
  readonly #node: string
  readonly #log: Logger
  readonly #roots: Roots
  readonly #intervalMs: number
  readonly #capacity: number
  readonly #clock: Clock
  readonly #limitDrops: (instance: string) => LimitDrops | undefined
  readonly #onSample: (instance: string, sample: SampleView) => void
  readonly #watched = new Map<string, Watched>()
  readonly #nodeRing: SampleRing
  readonly #closing = new AbortController()
  readonly #loop: Promise<void>
  #nodeLast: (Reading & Pick<NodeReading, 'coreBusyNs'>) | undefined
  #cores: readonly CoreLoad[] = []

  constructor(options: CollectorOptions) {
    const { node, log, cgroupRoot = '/sys/fs/cgroup', procRoot = '/proc', intervalMs = defaultIntervalMs } = options
    this.#node = node
    this.#log = log
    this.#roots = { cgroupRoot, procRoot }
    this.#intervalMs = intervalMs
    this.#capacity = Math.max(1, Math.ceil((options.keepMs ?? 300_000) / intervalMs))
    this.#clock = options.clock ?? systemClock
    this.#limitDrops = options.limitDrops ?? (() => undefined)
    this.#onSample = options.onSample ?? (() => {})
    this.#nodeRing = new SampleRing(this.#capacity)
    this.#loop = this.#readPeriodically()
  }

  watch(instance: string, target: WatchTarget): void {
    const watched = this.#watched.get(instance)
    if (watched === undefined) {
      const ring = new SampleRing(this.#capacity)
      this.#watched.set(instance, { target, ring, source: undefined, last: undefined })
      return
    }
    const isSame = watched.target.pid === target.pid && watched.target.containerId === target.containerId
    watched.target = target
    if (isSame) return
    watched.source = undefined
    watched.last = undefined
  }

  forget(instance: string): void {
    this.#watched.delete(instance)
  }

  since(sinceMs = Number.NEGATIVE_INFINITY): MetricsView[] {
    return [...this.#watched].map(([instance, { target, ring, last }]) => ({
      instance,
      node: this.#node,
      cpuLimitMilli: target.cpuLimitMilli,
      memoryLimitBytes: target.memoryLimitBytes,
      ...(last === undefined ? {} : { traffic: trafficOf(last.counters) }),
      samples: ring.since(sinceMs),
    }))
  }

  nodeSince(sinceMs = Number.NEGATIVE_INFINITY): SampleView[] {
    return this.#nodeRing.since(sinceMs)
  }

  counters(): readonly InstanceCounters[] {
    return [...this.#watched].flatMap(([instance, { target, last }]) =>
      last === undefined
        ? []
        : [
            {
              instance,
              cpuLimitMilli: target.cpuLimitMilli,
              memoryLimitBytes: target.memoryLimitBytes,
              counters: last.counters,
            },
          ],
    )
  }

  nodeCounters(): Counters | undefined {
    return this.#nodeLast?.counters
  }

  cores(): readonly CoreLoad[] {
    return this.#cores
  }

  async read(): Promise<void> {
    this.#readNode()
    let inSlice = 0
    for (const [instance, watched] of [...this.#watched]) {
      this.#readInstance(instance, watched)
      if (++inSlice % sliceSize === 0) await nextTurn()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#loop
  }

  async #readPeriodically(): Promise<void> {
    const { signal } = this.#closing
    const start = performance.now()
    for (let round = 1; !signal.aborted; round++) {
      await this.read()
      const elapsedMs = performance.now() - start
      // On the beat, so that rounds do not drift; missed beats are skipped, not made up for.
      round = Math.max(round, Math.ceil(elapsedMs / this.#intervalMs))
      await delay(round * this.#intervalMs - elapsedMs, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  #readInstance(instance: string, watched: Watched): void {
    try {
      watched.source ??= openContainer(this.#roots, watched.target.pid)
      const before = watched.last
      watched.last = this.#reading({ ...watched.source.read(), ...this.#limitDrops(instance) })
      if (before === undefined) return
      const sample = sampleBetween(before, watched.last, this.#clock.now())
      watched.ring.push(sample)
      this.#onSample(instance, sample)
    } catch (error) {
      // Between the end of a container and the word of it there are rounds that find nothing.
      if (watched.last !== undefined)
        this.#log.debug({ instance, error: messageOf(error) }, 'lost sight of an instance')
      watched.source = undefined
      watched.last = undefined
    }
  }

  #readNode(): void {
    try {
      const before = this.#nodeLast
      const { counters, coreBusyNs } = readNode(this.#roots.procRoot)
      const reading = { ...this.#reading(counters), coreBusyNs }
      this.#nodeLast = reading
      if (before === undefined) return
      this.#nodeRing.push(sampleBetween(before, reading, this.#clock.now()))
      this.#cores = coreLoads(before, reading)
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'cannot read the figures of the node')
      this.#nodeLast = undefined
    }
  }

  #reading(counters: Counters): Reading {
    return { monotonicMs: this.#clock.monotonicMs(), counters }
  }
}

/** A core that was switched on or off in between is left out. */
function coreLoads(before: Reading & Pick<NodeReading, 'coreBusyNs'>, after: typeof before): readonly CoreLoad[] {
  const ns = Math.max(1, (after.monotonicMs - before.monotonicMs) * 1e6)
  return [...after.coreBusyNs].flatMap(([core, busyNs]) => {
    const busyBefore = before.coreBusyNs.get(core)
    if (busyBefore === undefined) return []
    // Time is counted in ticks, so a core may seem to be busy for longer than it was there.
    const busyMilli = Math.min(1000, Math.max(0, Math.round(((busyNs - busyBefore) * 1000) / ns)))
    return [{ core, busyMilli, busyNs }]
  })
}
