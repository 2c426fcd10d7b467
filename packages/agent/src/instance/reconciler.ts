import { type Assignment, type InstanceStatus, newInstanceMemory, type ObservedContainer } from '@berth/core'
import type { ContainerSummary, EngineEvent } from '../engine/engine.ts'
import { type InstanceRecord, unsealAssignment } from '../state/instance-record.ts'
import { labels } from './container-spec.ts'
import type { InstanceDeps } from './instance-deps.ts'
import { InstanceWorker } from './instance-worker.ts'

export interface ReconcilerDeps extends InstanceDeps {
  /** The set of instances, or one's address, has changed. */
  onInstances(assignments: readonly Assignment[]): void
}

/**
 * The instances of this node, one worker each. What no assignment knows is adopted and reported, never stopped: only a tombstone stops
 * anything.
 */
export class Reconciler implements AsyncDisposable {
  readonly #deps: ReconcilerDeps
  readonly #workers = new Map<string, InstanceWorker>()
  /** Containers of ours whose assignment is unknown: neither record nor label could be read. */
  readonly #strays = new Map<string, ContainerSummary>()
  /** Instances that have a container, as far as the last list tells; undefined before the first. */
  #listed: ReadonlySet<string> | undefined

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps
  }

  /** Takes up what was remembered. Nothing is done before the engine is up. */
  start(records: readonly InstanceRecord[]): void {
    for (const record of records) this.#add(record, false)
    this.#announce()
  }

  get assignments(): readonly Assignment[] {
    return [...this.#workers.values()].map((worker) => worker.assignment)
  }

  statuses(): readonly InstanceStatus[] {
    const known = [...this.#workers.values()].map((worker) => worker.status())
    return [...known, ...[...this.#strays].map(([id, container]) => strayStatus(this.#deps.node, id, container))]
  }

  /** undefined for an instance that this node knows nothing of. */
  status(instance: string): InstanceStatus | undefined {
    const worker = this.#workers.get(instance)
    if (worker !== undefined) return worker.status()
    const stray = this.#strays.get(instance)
    return stray && strayStatus(this.#deps.node, instance, stray)
  }

  /** Assignments that are missing in it stay as they are. Resolves when all of it is durable. */
  async applySnapshot(assignments: readonly Assignment[]): Promise<void> {
    const saved = assignments.map((assignment) => this.#accept(assignment))
    this.#announce()
    await Promise.all(saved)
    const named = new Set(assignments.map(({ instance }) => instance))
    for (const [instance, worker] of this.#workers) if (!named.has(instance)) this.#prune(instance, worker)
  }

  async assign(assignment: Assignment): Promise<void> {
    const saved = this.#accept(assignment)
    this.#announce()
    await saved
  }

  /** The server knows that the instance has ended. What has not ended is kept: forgetting is not stopping. */
  async forget(instance: string): Promise<void> {
    const worker = this.#workers.get(instance)
    if (worker === undefined) return
    if (worker.memory.phase !== 'ended' || this.#deps.frozen()) {
      this.#deps.log.warn({ instance }, 'kept an instance that was to be forgotten: it has not ended')
      return
    }
    // Removes what a job has left for its logs.
    await worker.assign({ ...worker.assignment, desired: 'stop' })
    await worker.gone
    await this.#drop(instance, worker)
  }

  /** Deletions were frozen or allowed. */
  contextChanged(): void {
    for (const worker of this.#workers.values()) worker.wake()
  }

  /** An image has arrived. */
  retry(): void {
    for (const worker of this.#workers.values()) worker.retry()
  }

  /** Resolves when everything found at the start has been probed once, or after the time. */
  async settled(timeoutMs: number): Promise<void> {
    const { promise: timeUp, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, timeoutMs)
    await Promise.race([timeUp, Promise.all([...this.#workers.values()].map((worker) => worker.settled))])
    clearTimeout(timer)
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
    if (known !== undefined) return known.assign(assignment)
    const fresh = this.#listed !== undefined && !this.#listed.has(instance)
    // A phase never moves back: a stray was reported as running.
    const phase = this.#strays.delete(instance) ? 'running' : 'assigned'
    const memory = { ...newInstanceMemory(assignment.restartNonce), phase } as const
    const record = { assignment, memory, secretsLost: false }
    const worker = this.#add(record, fresh)
    return worker.remember(worker.memory)
  }

  #add(record: InstanceRecord, fresh: boolean): InstanceWorker {
    const worker = new InstanceWorker(this.#deps, record, fresh)
    this.#workers.set(record.assignment.instance, worker)
    return worker
  }

  /** Ended, removed and unknown to the server: only the record is left, because the word to forget it was lost. */
  #prune(instance: string, worker: InstanceWorker): void {
    if (worker.assignment.desired !== 'stop' || worker.memory.phase !== 'ended' || this.#deps.frozen()) return
    void worker.gone.then(() => this.#drop(instance, worker))
  }

  async #drop(instance: string, worker: InstanceWorker): Promise<void> {
    if (this.#workers.get(instance) !== worker) return
    this.#workers.delete(instance)
    await worker[Symbol.asyncDispose]()
    await this.#deps.store.remove(instance)
    await this.#deps.files.remove(worker.assignment)
    this.#announce()
  }

  #announce(): void {
    this.#deps.onInstances(this.assignments)
  }
}

const differs = (summary: ContainerSummary | undefined, container: ObservedContainer | undefined): boolean =>
  summary?.id !== container?.id || summary?.state !== container?.state

/** Whatever its container does now: that it has ended is for the agent to say once it knows what was wanted. */
function strayStatus(node: string, instance: string, container: ContainerSummary): InstanceStatus {
  return {
    id: instance,
    node,
    phase: 'running',
    ready: false,
    containerId: container.id,
    restarts: 0,
    messageCode: 'assignment-unknown',
    message: `${instance} has a container here, but this node has lost its assignment; it is left alone until a server tells it again`,
  }
}
