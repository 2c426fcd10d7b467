import { setTimeout as delay } from 'node:timers/promises'
import type { LogLine } from '@berth/api'
import { BerthError, type InstanceStatus } from '@berth/core'
import type { Engine } from '../engine/engine.ts'
import { hasCode, isEngineDown } from '../engine/engine-error.ts'
import type { StatusBus } from './status-bus.ts'

/** Between two looks at a log whose stream has ended too early. */
const pauseMs = 100

export interface InstanceLogsDeps {
  readonly engine: Engine
  readonly bus: StatusBus
  /** undefined for an instance that this node does not know. */
  status(instance: string): InstanceStatus | undefined
  /** Resolves when its status is what is, not what was remembered at the agent's start, or after a while. */
  looked(instance: string): Promise<void>
  engineUp(signal: AbortSignal): Promise<void>
}

export interface InstanceLogOptions {
  readonly follow: boolean
  readonly tail?: number
  readonly sinceMs?: number
  readonly signal: AbortSignal
}

/**
 * What an instance writes. Followed, it goes on over restarts of the container, of Docker and of nothing at all: before the container
 * is there it waits for it. It ends with the instance.
 */
export async function* instanceLogs(
  deps: InstanceLogsDeps,
  instance: string,
  options: InstanceLogOptions,
): AsyncGenerator<LogLine> {
  await deps.looked(instance)
  if (deps.status(instance) === undefined) {
    throw new BerthError('instance.not-found', `read the log of ${instance}: this node does not run it`)
  }
  const reader = new LogReader(deps, options)
  for (let status = deps.status(instance); status !== undefined; status = deps.status(instance)) {
    // Taken before the reading: a change during it is not missed.
    const changing = new AbortController()
    const changed = deps.bus.changeOf(instance, AbortSignal.any([options.signal, changing.signal]))
    try {
      yield* reader.read(status)
      if (!options.follow || options.signal.aborted || status.phase === 'ended') return
      // The stream broke off while the container goes on, or its exit is not known yet.
      if (reader.isReading(deps.status(instance))) await delay(pauseMs, undefined, { signal: options.signal })
      else await changed
    } catch (error) {
      if (!options.signal.aborted) throw error
    } finally {
      changing.abort()
    }
    if (options.signal.aborted) return
  }
}

/** Follows one container after the other, from where the last reading ended. */
class LogReader {
  readonly #deps: InstanceLogsDeps
  readonly #options: InstanceLogOptions
  #containerId: string | undefined
  #run: number | undefined
  #position: string | undefined

  constructor(deps: InstanceLogsDeps, options: InstanceLogOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** Whether the run that was read last still goes on. */
  isReading({ containerId, startedAt }: Partial<InstanceStatus> = {}): boolean {
    return startedAt !== undefined && startedAt === this.#run && containerId === this.#containerId
  }

  async *read(status: InstanceStatus): AsyncGenerator<LogLine> {
    const { containerId } = status
    if (containerId === undefined) return
    const { follow, signal } = this.#options
    if (follow) await this.#deps.engineUp(signal)
    const from = this.#from(containerId)
    if (containerId !== this.#containerId) this.#position = undefined
    this.#containerId = containerId
    this.#run = status.startedAt
    try {
      for await (const { at, position, stream, line } of this.#deps.engine.logs(containerId, {
        follow,
        signal,
        ...from,
      })) {
        this.#position = position
        yield { at, stream, line }
      }
    } catch (error) {
      if (signal.aborted) return
      if (!follow || !mayPass(error)) throw error
    }
  }

  /** The same container is read on from its last line: a run that was too short to be seen is not missed, and no line comes twice. */
  #from(containerId: string): { after?: string; tail?: number; sinceMs?: number } {
    if (this.#position !== undefined && containerId === this.#containerId) return { after: this.#position }
    if (this.#containerId !== undefined) return {}
    const { tail, sinceMs } = this.#options
    return { ...(tail === undefined ? {} : { tail }), ...(sinceMs === undefined ? {} : { sinceMs }) }
  }
}

/** Docker went away, the connection broke in the middle, or the container was removed: the next status tells how it goes on. */
const mayPass = (error: unknown): boolean =>
  isEngineDown(error) || hasCode(error, 'engine.not-found') || !(error instanceof BerthError)
