import {
  type Assignment,
  type InstanceStatus,
  isSameIncarnation,
  newInstanceMemory,
  type ObservedContainer,
  waitingStatus,
} from '@berth/core'
import type { ContainerSummary, EngineEvent } from '../engine/engine.ts'
import { type InstanceRecord, unsealAssignment } from '../state/instance-record.ts'
import { incarnationOf, labels } from './container-spec.ts'
import type { DiskSubject } from './disk-watch.ts'
import type { InstanceDeps } from './instance-deps.ts'
import { InstanceWorker } from './instance-worker.ts'

/**
 * The instances of this node, one worker each. What no assignment knows is adopted and reported, never stopped: only a tombstone stops
 * anything. That an id was given to another instance is a tombstone for the one that had it: it is ended and forgotten before the other
 * begins.
 */
export class Reconciler implements AsyncDisposable {
  readonly #deps: InstanceDeps
  readonly #workers = new Map<string, InstanceWorker>()
  /** Containers of ours whose assignment is unknown: neither record nor label could be read. */
  readonly #strays = new Map<string, ContainerSummary>()
  /** Workers whose instance is being ended and forgotten, whether another of its id follows or not. */
  readonly #leaving = new Set<InstanceWorker>()
  /** What is to run under the id of one that is leaving. Not on disk: the next snapshot has it again. */
  readonly #successors = new Map<string, Assignment>()
  #isClosed = false
  /** Instances that have a container, as far as the last list tells; undefined before the first. */
  #listed: ReadonlySet<string> | undefined

  constructor(deps: InstanceDeps) {
    this.#deps = { ...deps, onStatus: (status) => deps.onStatus(this.#current(status)) }
  }

  /** Takes up what was remembered. Nothing is done before the engine is up. */
  start(records: readonly InstanceRecord[]): void {
    for (const record of records) this.#add(record, false)
    this.#announce()
  }

  get assignments(): readonly Assignment[] {
    return [...this.#workers.values()].map((worker) => worker.assignment)
  }

  /** Of all that has not ended: they hold what they were granted. */
  get holding(): readonly Assignment[] {
    const workers = [...this.#workers.values()].filter((worker) => worker.memory.phase !== 'ended')
    return workers.map((worker) => worker.assignment)
  }

  /** Whether an instance of this id is here, is about to be, or has left a container whose assignment is lost. */
  assignmentOf(instance: string): Assignment | undefined {
    return this.#workers.get(instance)?.assignment
  }

  has(instance: string): boolean {
    return this.#workers.has(instance) || this.#successors.has(instance) || this.#strays.has(instance)
  }

  statuses(): readonly InstanceStatus[] {
    const known = [...this.#workers.values()].map((worker) => this.#current(worker.status()))
    return [...known, ...[...this.#strays].map(([id, container]) => strayStatus(this.#deps.node, id, container))]
  }

  /** undefined for an instance that this node knows nothing of. */
  status(instance: string): InstanceStatus | undefined {
    const worker = this.#workers.get(instance)
    if (worker !== undefined) return this.#current(worker.status())
    const stray = this.#strays.get(instance)
    return stray && strayStatus(this.#deps.node, instance, stray)
  }

  /** Resolves when the container of an instance that was found at the start has been looked at, or after the time. */
  async looked(instance: string, timeoutMs: number): Promise<void> {
    await within(timeoutMs, this.#workers.get(instance)?.looked)
  }

  /** Assignments that are missing in it stay as they are. Resolves when all of it is durable. */
  async applySnapshot(assignments: readonly Assignment[]): Promise<void> {
    const saved = assignments.map((assignment) => this.#accept(assignment))
    this.#announce()
    await Promise.all(saved)
    const named = new Set(assignments.map(({ instance }) => instance))
    for (const [instance, worker] of this.#workers) if (!named.has(instance)) this.#prune(worker)
  }

  async assign(assignment: Assignment): Promise<void> {
    const saved = this.#accept(assignment)
    this.#announce()
    await saved
  }

  /** The server knows that the instance has ended. What has not ended is kept: forgetting is not stopping. */
  async forget(instance: string, createdAt?: number): Promise<void> {
    const worker = this.#workers.get(instance)
    if (worker === undefined || this.#leaving.has(worker) || !isSame(worker, createdAt)) return
    if (worker.memory.phase !== 'ended' || this.#deps.frozen()) {
      this.#deps.log.warn({ instance }, 'kept an instance that was to be forgotten: it has not ended')
      return
    }
    await this.#endAndDrop(worker)
  }

  /** Deletions were frozen or allowed. */
  contextChanged(): void {
    for (const worker of this.#workers.values()) worker.wake()
  }

  /** Runs of instances that were granted so much of the disk. */
  diskSubjects(): readonly DiskSubject[] {
    return [...this.#workers.values()].flatMap(({ assignment, memory: { run } }) => {
      if (assignment.diskBytes === undefined || run === undefined) return []
      const { instance } = assignment
      return [{ instance, ...run, persist: this.#deps.files.persistOf(assignment) }]
    })
  }

  diskUsed({ instance, startedAt }: DiskSubject, usedBytes: number): void {
    this.#workers.get(instance)?.diskUsed(startedAt, usedBytes)
  }

  /** Its program has said something else of itself. */
  reported(instance: string): void {
    this.#workers.get(instance)?.reported()
  }

  /** Records that could not be written are tried again. */
  async saveAgain(): Promise<void> {
    for (const worker of this.#workers.values()) await worker.saveAgain()
  }

  /** An image has arrived. */
  retry(): void {
    for (const worker of this.#workers.values()) worker.retry()
  }

  /** Resolves when everything found at the start has been probed once, or after the time. */
  async settled(timeoutMs: number): Promise<void> {
    await within(timeoutMs, Promise.all([...this.#workers.values()].map((worker) => worker.settled)))
  }

  onEvent(event: EngineEvent): void {
    const instance = event.labels[labels.instance]
    if (instance === undefined) return
    this.#workers.get(instance)?.onEvent(event)
    if (event.type === 'removed') this.#strays.delete(instance)
  }

  /** After every connection to the engine: containers may have come, gone or been restarted unseen. */
  async relist(signal: AbortSignal): Promise<void> {
    await this.#list(signal)
    for (const worker of this.#workers.values()) worker.markStale()
  }

  /** Now and then: looks only at what differs from what is believed. */
  async resync(signal: AbortSignal): Promise<void> {
    const containers = await this.#list(signal)
    for (const [instance, worker] of this.#workers) {
      if (differs(containers.get(instance), worker.container)) worker.markStale()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#workers.values()].map((worker) => worker[Symbol.asyncDispose]()))
  }

  async #list(signal: AbortSignal): Promise<ReadonlyMap<string, ContainerSummary>> {
    const summaries = await this.#deps.engine.listContainers(labels.instance, { signal })
    const containers = new Map<string, ContainerSummary>()
    for (const summary of summaries) {
      const instance = summary.labels[labels.instance]
      // A copy that somebody made of a container has its labels, but not its name.
      if (instance !== undefined && summary.name === instance) containers.set(instance, summary)
    }
    this.#listed = new Set(containers.keys())
    this.#strays.clear()
    for (const [instance, summary] of containers) if (!this.#workers.has(instance)) this.#adopt(instance, summary)
    return containers
  }

  /** A container without a record: its label has the assignment, unless it was sealed with a key that is gone. */
  #adopt(instance: string, summary: ContainerSummary): void {
    const { sealer, log } = this.#deps
    const assignment = unsealAssignment(summary.labels[labels.sealed] ?? '', instance, sealer)
    if (assignment === undefined) {
      this.#strays.set(instance, summary)
      this.#deps.onStatus(strayStatus(this.#deps.node, instance, summary))
      log.warn({ instance }, 'found a container whose assignment is unknown; it is left running')
      return
    }
    log.warn({ instance }, 'rebuilt the record of an instance from its container')
    // Whether restarts were asked for since is not known; see `InstanceWorker.assign`.
    const memory = { ...newInstanceMemory(Number.MAX_SAFE_INTEGER), phase: 'running' as const }
    this.#add({ assignment, memory, secretsLost: false }, false)
    this.#announce()
  }

  #accept(assignment: Assignment): Promise<void> {
    const { instance } = assignment
    const known = this.#workers.get(instance)
    if (known === undefined) return this.#begin(assignment)
    if (!this.#leaving.has(known) && isSameIncarnation(known.assignment, assignment)) return known.assign(assignment)
    return this.#succeed(known, assignment)
  }

  #begin(assignment: Assignment): Promise<void> {
    const { instance } = assignment
    const fresh = this.#listed !== undefined && !this.#listed.has(instance)
    const stray = this.#strays.get(instance)
    this.#strays.delete(instance)
    // A phase never moves back: a stray was reported as running.
    const adopts = stray !== undefined && isSameIncarnation(incarnationOf(stray.labels), assignment)
    const phase = adopts ? 'running' : 'assigned'
    const memory = { ...newInstanceMemory(assignment.restartNonce), phase } as const
    const record = { assignment, memory, secretsLost: false }
    const worker = this.#add(record, fresh)
    return worker.remember(worker.memory)
  }

  /** Resolves at once: what comes after an instance that may take long to end is not waited for. */
  async #succeed(worker: InstanceWorker, assignment: Assignment): Promise<void> {
    const { instance } = assignment
    if (this.#deps.frozen()) {
      this.#deps.log.warn({ instance }, 'kept an instance although its name was given to another: stops are withheld')
      return
    }
    const isFirst = !this.#successors.has(instance)
    this.#successors.set(instance, assignment)
    if (isFirst) this.#deps.onStatus(worker.status())
    if (this.#leaving.has(worker)) return
    this.#deps.log.info({ instance }, 'ends an earlier instance, whose name was given to another')
    this.#leave(worker)
  }

  /** What is reported under an id is about the instance that the server knows by it. */
  #current(status: InstanceStatus): InstanceStatus {
    const successor = this.#successors.get(status.id)
    return successor === undefined ? status : waitingStatus(this.#deps.node, successor)
  }

  #add(record: InstanceRecord, fresh: boolean): InstanceWorker {
    const worker = new InstanceWorker(this.#deps, record, fresh)
    this.#workers.set(record.assignment.instance, worker)
    return worker
  }

  /** Ended, removed and unknown to the server: only the record is left, because the word to forget it was lost. */
  #prune(worker: InstanceWorker): void {
    if (worker.assignment.desired !== 'stop' || worker.memory.phase !== 'ended' || this.#deps.frozen()) return
    this.#leave(worker)
  }

  #leave(worker: InstanceWorker): void {
    this.#endAndDrop(worker).catch((error: unknown) => {
      const { instance } = worker.assignment
      this.#deps.log.error({ instance, err: error }, 'could not clear an instance away that has ended')
    })
  }

  /** Its id is free for another only when nothing of it is left: its record and files would be taken for the other's. */
  async #endAndDrop(worker: InstanceWorker): Promise<void> {
    if (this.#leaving.has(worker)) return
    this.#leaving.add(worker)
    const { instance } = worker.assignment
    // Also removes what a job has left for its logs.
    await worker.assign({ ...worker.assignment, desired: 'stop' })
    await worker.gone
    await worker[Symbol.asyncDispose]()
    try {
      await this.#deps.store.remove(instance)
      this.#deps.onStoreProblem(instance, undefined)
      await this.#deps.files.remove(worker.assignment)
    } finally {
      this.#leaving.delete(worker)
      this.#workers.delete(instance)
      const successor = this.#successors.get(instance)
      this.#successors.delete(instance)
      if (successor !== undefined && !this.#isClosed) void this.#begin(successor)
      this.#announce()
    }
  }

  #announce(): void {
    this.#deps.keepers.setInstances(this.assignments)
  }
}

async function within(timeoutMs: number, what: Promise<unknown> | undefined): Promise<void> {
  const { promise: timeUp, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, timeoutMs)
  await Promise.race([timeUp, what])
  clearTimeout(timer)
}

const isSame = (worker: InstanceWorker, createdAt: number | undefined): boolean =>
  isSameIncarnation(worker.assignment, createdAt === undefined ? {} : { createdAt })

const differs = (summary: ContainerSummary | undefined, container: ObservedContainer | undefined): boolean =>
  summary?.id !== container?.id || summary?.state !== container?.state

/** Whatever its container does now: that it has ended is for the agent to say once it knows what was wanted. */
function strayStatus(node: string, instance: string, container: ContainerSummary): InstanceStatus {
  return {
    id: instance,
    ...incarnationOf(container.labels),
    node,
    phase: 'running',
    ready: false,
    containerId: container.id,
    restarts: 0,
    messageCode: 'assignment-unknown',
    message: `${instance} has a container here, but this node has lost its assignment; it is left alone until a server tells it again`,
  }
}
