import { type Assignment, messageOf, type ProbeSpec } from '@berth/core'
import { type InstanceReport, noReport, reasonAgainst } from '../socket/instance-report.ts'
import type { ProbeTarget, RunProbe } from './probe.ts'
import { probeGapMs } from './probe-gap.ts'
import { judge, type Verdict, verdictOf } from './verdict.ts'

export interface HealthState {
  readonly ready: boolean
  readonly readyAt?: number
  /** What the last failed readiness probe got. */
  readonly message?: string
  /** The liveness probe has failed often enough. */
  readonly unhealthy: boolean
  readonly livenessMessage?: string
  /** False until the first result of readiness is there: after an adoption it is not known yet. */
  readonly known: boolean
}

export interface HealthOptions {
  readonly assignment: Pick<Assignment, 'ports' | 'readiness' | 'liveness' | 'type'>
  readonly target: ProbeTarget
  /** When the run began, in milliseconds since the epoch: a probe's delay counts from there. */
  readonly startedAt: number
  /** Set for a run that was ready when the agent last saw it: it stays so until its probe fails. */
  readonly readyAt?: number
  readonly probe: RunProbe
  /** What the run has said of itself; `reported` is called when that has changed. Absent: it has no socket. */
  readonly report?: () => InstanceReport
  readonly onChange: () => void
}

/** What a service is asked when it names no readiness probe but listens on a port. */
const portProbe = { delayMs: 0, intervalMs: 5_000, timeoutMs: 1_000, successes: 1, failures: 3 } as const

/** Watches one run of one instance. Closing it ends the probes. */
export class InstanceHealth implements AsyncDisposable {
  readonly #options: HealthOptions
  readonly #closing = new AbortController()
  readonly #loops: Promise<void>[] = []
  readonly #isReported: boolean
  #readiness: Verdict = verdictOf(undefined)
  #liveness: Verdict = verdictOf(undefined)
  #readyAt: number | undefined
  #message: string | undefined
  #livenessMessage: string | undefined
  #known = false

  constructor(options: HealthOptions) {
    this.#options = options
    const { assignment } = options
    const readiness = readinessOf(assignment)
    this.#isReported = readiness?.check.type === 'report'
    if (options.readyAt !== undefined) this.#readiness = verdictOf(true)
    if (readiness === undefined || this.#isReported) {
      this.#readiness = verdictOf(true)
      this.#known = true
    } else this.#loops.push(this.#watchReadiness(readiness))
    if (this.#isReady) this.#readyAt = options.readyAt ?? Date.now()
    if (assignment.liveness !== undefined) this.#loops.push(this.#watchLiveness(assignment.liveness))
  }

  get state(): HealthState {
    const ready = this.#isReady
    const message = this.#reasonAgainst ?? this.#message
    return {
      ready,
      ...(ready && this.#readyAt !== undefined ? { readyAt: this.#readyAt } : {}),
      ...(ready || message === undefined ? {} : { message }),
      unhealthy: this.#liveness.passing === false,
      ...(this.#livenessMessage === undefined ? {} : { livenessMessage: this.#livenessMessage }),
      known: this.#known,
    }
  }

  /** What the run has said of itself is something else now. */
  reported(): void {
    this.#noteReady()
    this.#options.onChange()
  }

  /** It says so, or does not say what it has to. */
  get #reasonAgainst(): string | undefined {
    return reasonAgainst(this.#options.report?.() ?? noReport, this.#isReported)
  }

  get #isReady(): boolean {
    return this.#readiness.passing === true && this.#reasonAgainst === undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#loops)
  }

  async #watchReadiness(spec: ProbeSpec): Promise<void> {
    await this.#repeat(
      spec,
      () => this.#readiness.passing === true,
      (succeeded, message) => {
        const before = this.#readiness.passing
        const verdict = judge(this.#readiness, succeeded, spec)
        const firstResult = !this.#known
        this.#known = true
        if (message !== undefined) this.#message = message
        this.#readiness = verdict
        this.#noteReady()
        if (verdict.passing !== before || firstResult) this.#options.onChange()
      },
    )
  }

  #noteReady(): void {
    this.#readyAt = this.#isReady ? (this.#readyAt ?? Date.now()) : undefined
  }

  async #watchLiveness(spec: ProbeSpec): Promise<void> {
    await this.#repeat(
      spec,
      () => true,
      (succeeded, message) => {
        const before = this.#liveness.passing
        this.#liveness = judge(this.#liveness, succeeded, spec)
        if (message !== undefined) this.#livenessMessage = message
        if (this.#liveness.passing === false && before !== false) this.#options.onChange()
      },
    )
  }

  /** Probes until closed. While not `settled` it asks often. */
  async #repeat(
    spec: ProbeSpec,
    settled: () => boolean,
    onResult: (succeeded: boolean, message: string | undefined) => void,
  ): Promise<void> {
    const { signal } = this.#closing
    const startedAt = performance.now()
    // Never longer than the delay itself: the clock may have been set back since the start.
    await sleep(Math.min(spec.delayMs, this.#options.startedAt + spec.delayMs - Date.now()), signal)
    while (!signal.aborted) {
      const askedAt = performance.now()
      try {
        const options = { timeoutMs: spec.timeoutMs, signal }
        const result = await this.#options.probe(spec.check, this.#options.target, options)
        if (signal.aborted) return
        if (result.type !== 'inconclusive') {
          onResult(result.type === 'success', result.type === 'failure' ? result.message : undefined)
        }
      } catch (error) {
        if (signal.aborted) return
        // A probe that cannot even be tried, such as of a port that is none, must not end the agent.
        onResult(false, `it could not be tried: ${messageOf(error)}`)
      }
      const now = performance.now()
      await sleep(probeGapMs(spec, settled() ? undefined : now - startedAt, now - askedAt), signal)
    }
  }
}

/** Jobs are not asked: they are there to end. */
function readinessOf(assignment: HealthOptions['assignment']): ProbeSpec | undefined {
  if (assignment.readiness !== undefined) return assignment.readiness
  const port = assignment.ports.find((each) => each.protocol === 'tcp')
  if (port === undefined || assignment.type === 'job') return undefined
  return { ...portProbe, check: { type: 'tcp', port: port.port } }
}

/** Resolves early, without an error, when the signal comes. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    signal.addEventListener('abort', wake, { once: true })
  })
}
