import {
  type Assignment,
  BerthError,
  decideInstance,
  type GrantInForce,
  grantChanged,
  grantInForce,
  type InstanceMemory,
  type InstanceStatus,
  type InstanceStepType,
  instanceStatus,
  lanOf,
  messageOf,
  networksChanged,
  type ObservedContainer,
  otherNetworkOf,
  ownNetworkOf,
  readinessNoted,
  retryNow,
  type StepFailure,
  stepFailed,
  stepSucceeded,
} from '@berth/core'
import type { Logger } from 'pino'
import type { ContainerView, EngineEvent } from '../engine/engine.ts'
import { hasCode } from '../engine/engine-error.ts'
import { type HealthState, InstanceHealth } from '../health/instance-health.ts'
import type { InstanceRecord } from '../state/instance-record.ts'
import { incarnationOf, labels } from './container-spec.ts'
import type { InstanceDeps } from './instance-deps.ts'
import { type ActiveStep, InstanceSteps, type InstanceSubject } from './instance-steps.ts'
import { Wakeup } from './wakeup.ts'

/** Steps that are given up when the instance is to stop: they may take long and would be undone at once. */
const interruptible: ReadonlySet<InstanceStepType> = new Set(['fetch-image', 'run-after-start'])

/** Pause after a failure that no step can be blamed for. */
const faultPauseMs = 1_000
/** The engine went away: its watch finds out in a moment and then holds everything up. */
const lostPauseMs = 50

/** Engines and runtimes may quote a whole configuration. */
const maxMessageLength = 2_000

const noHealth: HealthState = { ready: false, unhealthy: false, known: true }

/**
 * One instance: decides the next step, carries it out, and waits for something to change. Steps of an instance never run at the same
 * time. Closing it leaves the container alone.
 */
export class InstanceWorker implements InstanceSubject, AsyncDisposable {
  readonly #deps: InstanceDeps
  readonly #log: Logger
  readonly #steps: InstanceSteps
  readonly #wakeup = new Wakeup()
  readonly #closing = new AbortController()
  readonly #loop: Promise<void>
  #assignment: Assignment
  #memory: InstanceMemory
  #secretsLost: boolean
  #isUnsaved = false
  #container: ObservedContainer | undefined
  #stale: boolean
  #observedAt = 0
  #networks: ContainerView['networks'] = []
  #outOfMemoryAt: number | undefined
  /** What a run was last seen to use of the disk. */
  #disk: { readonly run: number; readonly usedBytes: number } | undefined
  #health: InstanceHealth | undefined
  #granted: GrantInForce | undefined
  #step: { readonly type: InstanceStepType; readonly abort: AbortController } | undefined
  #reported = ''
  readonly #looked = Promise.withResolvers<void>()
  readonly #settled = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<void>()

  /** `fresh`: there is surely no container of it yet, so that none needs to be looked for. */
  constructor(deps: InstanceDeps, record: InstanceRecord, fresh: boolean) {
    this.#deps = deps
    this.#assignment = record.assignment
    this.#memory = record.memory
    this.#secretsLost = record.secretsLost
    this.#stale = !fresh
    if (fresh) this.#looked.resolve()
    this.#log = deps.log.child({ instance: record.assignment.instance })
    this.#steps = new InstanceSteps(deps, this)
    this.#loop = this.#run()
  }

  get assignment(): Assignment {
    return this.#assignment
  }

  get memory(): InstanceMemory {
    return this.#memory
  }

  get container(): ObservedContainer | undefined {
    return this.#container
  }

  get secretsLost(): boolean {
    return this.#secretsLost
  }

  /** Resolves when its container has been looked at once: before that nothing is known of it. */
  get looked(): Promise<void> {
    return this.#looked.promise
  }

  /** Resolves when a run that was found at the start has been probed once: from then on `ready` is a fact, not a memory. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  /** Resolves when the instance has ended and nothing of it is left in the engine. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  status(): InstanceStatus {
    const health = this.#health?.state ?? noHealth
    const { run } = this.#memory
    const hookPending = this.#assignment.afterStart !== undefined && run?.afterStartDone === false
    const readyAt = run?.readyAt ?? health.readyAt
    const probed = readyAt === undefined ? health : { ...health, readyAt }
    const readiness = hookPending ? { ready: false, message: 'its hook afterStart has not ended yet' } : probed
    const container = this.#container
    return instanceStatus(
      ...([
        this.#deps.node,
        { ...this.#assignment, address: this.#toldAddress },
        container,
        this.#memory,
        readiness,
        Date.now(),
      ] as const),
      container === undefined ? undefined : this.#grantInForce(container),
    )
  }

  #grantInForce(container: ObservedContainer): GrantInForce {
    const wanted = this.#deps.cores.shown(this.#deps.cores.grantOf(this.#assignment))
    this.#granted = grantInForce(container, wanted, this.#assignment, this.#granted)
    return this.#granted
  }

  /** A newer form of the assignment. Only what may change of an instance is looked at. Resolves when it is durable. */
  async assign(assignment: Assignment): Promise<void> {
    const { desired, restartNonce } = assignment
    const before = this.#assignment
    const same = JSON.stringify(assignment) === JSON.stringify(this.#assignment)
    if (same && !this.#secretsLost) return
    this.#assignment = assignment
    this.#secretsLost = false
    if (desired === 'stop' && this.#step !== undefined && interruptible.has(this.#step.type)) {
      this.#step.abort.abort(new BerthError('instance.superseded', 'the instance is to stop'))
    }
    // A memory rebuilt from labels does not know which nonce is in force: the first one it hears of is.
    const nonce = Math.min(this.#memory.restartNonce, restartNonce)
    const granted = isSameGrant(before, assignment) ? this.#memory : grantChanged(this.#memory)
    const isSameNetworks = JSON.stringify(before.networks) === JSON.stringify(assignment.networks)
    const memory = isSameNetworks ? granted : networksChanged(granted)
    const saved = this.remember({ ...memory, restartNonce: nonce })
    this.#wakeup.wake()
    await saved
  }

  /** What a failed step waited for may have come. */
  retry(): void {
    this.#memory = retryNow(this.#memory)
    this.#wakeup.wake()
  }

  /** Look again at the container, and decide anew. */
  markStale(): void {
    this.#stale = true
    this.#wakeup.wake()
  }

  onEvent(event: EngineEvent): void {
    if (event.type === 'out-of-memory') {
      this.#outOfMemoryAt = event.at
      this.#log.warn('a process of the container was killed: out of memory')
    }
    // What was looked at after the event happened is newer than it, unless the clock was set back since.
    if (event.at >= this.#observedAt || this.#observedAt > Date.now()) this.markStale()
  }

  /** Measured while that run went on; it may be over by now. */
  diskUsed(run: number, usedBytes: number): void {
    this.#disk = { run, usedBytes }
    if (this.#isOverDisk) this.#wakeup.wake()
  }

  get #isOverDisk(): boolean {
    const { diskBytes } = this.#assignment
    const disk = this.#disk
    if (diskBytes === undefined || disk === undefined || disk.run !== this.#memory.run?.startedAt) return false
    return disk.usedBytes > diskBytes
  }

  diskMessage(): string {
    const { instance, diskBytes = 0 } = this.#assignment
    const used = formatGibibytes(this.#disk?.usedBytes ?? 0)
    return `${instance} is ended: it used ${used} of disk, granted ${formatGibibytes(diskBytes)}; raise disk in berth.yaml or write less (its layer, its log and /persist count)`
  }

  /** Its program has said something else of itself. */
  reported(): void {
    this.#health?.reported()
  }

  /** The context has changed. */
  wake(): void {
    this.#wakeup.wake()
  }

  async remember(memory: InstanceMemory): Promise<void> {
    const before = this.#memory
    this.#memory = memory
    if (before.phase !== memory.phase) this.#log.info({ from: before.phase, to: memory.phase }, 'phase')
    this.#noteGone()
    this.#report()
    await this.#save()
  }

  /** Tries again to write what could not be written, such as on a disk that was full. */
  async saveAgain(): Promise<void> {
    if (this.#isUnsaved && !this.#closing.signal.aborted) await this.#save()
  }

  async #save(): Promise<void> {
    const { instance } = this.#assignment
    try {
      await this.#deps.store.save({ assignment: this.#assignment, memory: this.#memory })
      this.#isUnsaved = false
      this.#deps.onStoreProblem(instance, undefined)
    } catch (error) {
      this.#isUnsaved = true
      this.#deps.onStoreProblem(instance, messageOf(error))
    }
  }

  seen(container: ObservedContainer | undefined): void {
    this.#container = container
    this.#stale = false
    this.#looked.resolve()
    this.#noteGone()
    this.#report()
  }

  async observe(signal: AbortSignal): Promise<void> {
    const { instance } = this.#assignment
    const startedAt = Date.now()
    const view = await this.#deps.engine.inspectContainer(instance, { signal })
    this.#observedAt = startedAt
    const own = view?.labels[labels.instance] === instance ? view : undefined
    if (own === undefined) return this.seen(undefined)
    const killed = (this.#outOfMemoryAt ?? 0) >= (own.startedAt ?? Number.POSITIVE_INFINITY)
    this.#networks = own.networks
    this.#deps.keepers.joined(this.#assignment, own.networks)
    const granted = this.#deps.cores.shown(own)
    this.seen({
      ...observed(own),
      ...this.#otherNetworks(),
      cpuset: granted.cpuset,
      outOfMemory: own.outOfMemory || killed,
    })
  }

  /** In another network than the cluster's, the one that Docker has given it. */
  get #probedAddress(): string {
    const { network, address } = this.#assignment
    const other = otherNetworkOf(network)
    return this.#networks.find(({ name }) => name === other)?.address ?? address
  }

  /** As others know it: in a bridge it has none that is of any use to them. */
  get #toldAddress(): string {
    const { network, address } = this.#assignment
    return lanOf(network) === undefined ? address : this.#probedAddress
  }

  #otherNetworks(): Pick<ObservedContainer, 'networks'> {
    const own = ownNetworkOf(this.#assignment.network) ?? 'host'
    const networks = this.#networks.filter(({ name }) => name !== own)
    return networks.length === 0 ? {} : { networks }
  }

  startHealth(): void {
    const { run } = this.#memory
    if (run === undefined) return
    this.#health = new InstanceHealth({
      assignment: this.#assignment,
      target: { address: this.#probedAddress, containerId: run.containerId },
      startedAt: run.startedAt,
      ...(run.readyAt === undefined ? {} : { readyAt: run.readyAt }),
      probe: this.#deps.probe,
      report: () => this.#deps.reportOf(this.#assignment.instance),
      onChange: () => this.#onHealth(),
    })
    this.#onHealth()
  }

  async stopHealth(): Promise<void> {
    const health = this.#health
    this.#health = undefined
    await health?.[Symbol.asyncDispose]()
  }

  livenessMessage(): string | undefined {
    const message = this.#health?.state.livenessMessage
    return message === undefined
      ? undefined
      : `${this.#assignment.instance} is ended, its liveness probe failed: ${message}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#wakeup.wake()
    await this.#loop
    await this.stopHealth()
    this.#looked.resolve()
    this.#settled.resolve()
  }

  #onHealth(): void {
    this.#noteReadiness()
    this.#report()
    if (this.#health?.state.known === true) this.#settled.resolve()
    this.#wakeup.wake()
  }

  /** Reported before it is written: traffic waits for it, a restart of the agent does not. */
  #noteReadiness(): void {
    if (this.#health === undefined) return
    const { ready, readyAt } = this.status()
    const memory = readinessNoted(this.#memory, ready ? (this.#memory.run?.readyAt ?? readyAt) : undefined)
    if (memory === this.#memory) return
    this.#log.info({ ready, ...(ready ? {} : { reason: this.#health.state.message }) }, 'readiness')
    void this.remember(memory)
  }

  #noteGone(): void {
    if (this.#memory.phase === 'ended' && this.#container === undefined && !this.#stale) this.#gone.resolve()
  }

  #report(): void {
    const status = this.status()
    const text = JSON.stringify(status)
    if (text === this.#reported) return
    this.#reported = text
    this.#deps.onStatus(status)
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await this.#deps.engineUp(signal)
        await this.#next(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#stale = true
        const lost = hasCode(error, 'engine.unreachable')
        if (!lost) this.#log.warn({ err: error }, 'cannot look after the instance')
        await this.#wakeup.sleep(Date.now() + (lost ? lostPauseMs : faultPauseMs), signal)
      }
    }
  }

  async #next(signal: AbortSignal): Promise<void> {
    if (this.#stale) await this.observe(signal)
    this.#resumeHealth()
    const step = decideInstance(this.#assignment, this.#container, this.#memory, {
      now: Date.now(),
      boot: this.#deps.boot,
      frozen: this.#deps.frozen(),
      unhealthy: this.#health?.state.unhealthy ?? false,
      grant: this.#deps.cores.shown(this.#deps.cores.grantOf(this.#assignment)),
      overDisk: this.#isOverDisk,
    })
    if (step.type !== 'wait') return this.#carryOut(step, signal)
    if (this.#health === undefined) this.#settled.resolve()
    // In this order: what is not late by then is looked at again, what is late is told.
    const until = this.#nextLook(step.until)
    this.#report()
    await this.#wakeup.sleep(until, signal)
  }

  /** A run that was known before the agent came back is not adopted anew, but watched again. */
  #resumeHealth(): void {
    const { run } = this.#memory
    if (this.#health !== undefined || run === undefined || this.#memory.stopIntent !== undefined) return
    if (this.#container?.state !== 'running' || this.#container.startedAt !== run.startedAt) return
    this.startHealth()
    const { id: containerId, pid = 0, memoryBytes: memoryLimitBytes } = this.#container
    const cpuLimitMilli = this.#assignment.cpuMilli
    this.#deps.keepers.watch(this.#assignment.instance, { containerId, pid, cpuLimitMilli, memoryLimitBytes })
  }

  /** A report changes by itself when the time to become ready is over. */
  #nextLook(until: number | undefined): number | undefined {
    const { run } = this.#memory
    const { readyTimeoutMs } = this.#assignment
    if (run === undefined || run.readyAt !== undefined || readyTimeoutMs <= 0) return until
    const late = run.startedAt + readyTimeoutMs
    return late <= Date.now() ? until : Math.min(late, until ?? late)
  }

  async #carryOut(step: ActiveStep, signal: AbortSignal): Promise<void> {
    const abort = new AbortController()
    this.#step = { type: step.type, abort }
    this.#log.debug({ step }, 'step')
    try {
      await this.#steps.carryOut(step, AbortSignal.any([signal, abort.signal]))
      const memory = stepSucceeded(this.#memory, step.type, this.#assignment)
      if (memory !== this.#memory) void this.remember(memory)
      // A hook that has ended may have been all that was missing.
      this.#noteReadiness()
    } catch (error) {
      if (signal.aborted || hasCode(error, 'engine.unreachable')) throw error
      this.#stale = true
      if (abort.signal.aborted) return
      const failure = failureOf(error)
      this.#log.warn({ step: step.type, code: failure.code }, failure.message)
      await this.remember(stepFailed(this.#memory, step.type, failure, Date.now()))
    } finally {
      this.#step = undefined
    }
  }
}

const isSameGrant = (before: Assignment, after: Assignment): boolean =>
  before.cpuMilli === after.cpuMilli &&
  before.memoryBytes === after.memoryBytes &&
  before.cores === after.cores &&
  before.burst === after.burst

/** What is kept in memory of the engine's answer, whose labels are the longest part of it. */
function observed(view: ContainerView): ObservedContainer {
  const { id, state, pid, startedAt, finishedAt, exitCode, cpuset, shares, quotaMilli, memoryBytes } = view
  return {
    id,
    ...incarnationOf(view.labels),
    state,
    ...(pid === undefined ? {} : { pid }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...{ cpuset, shares, quotaMilli, memoryBytes },
  }
}

/** Of a size in bytes: `1.2 GiB`, `340 MiB`. */
function formatGibibytes(bytes: number): string {
  const gibibytes = bytes / 1024 ** 3
  return gibibytes >= 1 ? `${Number(gibibytes.toFixed(1))} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`
}

/** `engine.port-taken` becomes the instance's `port-taken`. */
function failureOf(error: unknown): StepFailure {
  const code = error instanceof BerthError ? error.code.replace(/^[^.]*\./, '') : 'failed'
  return { code, message: messageOf(error).slice(0, maxMessageLength) }
}
