import type { Assignment, InstanceStatus } from '@berth/core'

/** How long a simulated container takes, each time give or take a share. */
export interface Pace {
  /** From the assignment to a running container: pull, create, start. */
  readonly startMs: number
  /** From there to its first successful probe. */
  readonly readyMs: number
  readonly stopMs: number
  /** 0.5: between half and one and a half of each. */
  readonly jitter: number
}

export const defaultPace: Pace = { startMs: 200, readyMs: 100, stopMs: 100, jitter: 0.5 }

export type SimulatedPhase = 'assigned' | 'running' | 'ready' | 'stopping' | 'ended'

/** One container that is not: a few words of memory, so that a million of them fit into a process. */
export interface SimulatedInstance {
  readonly id: string
  readonly createdAt: number | undefined
  readonly address: string
  readonly isJob: boolean
  readonly serial: number
  phase: SimulatedPhase
  /** By the machine's clock; the node's own may differ. */
  startedAt: number
  readyAt: number
}

type Later = (instance: SimulatedInstance, delayMs: number) => void

/** The containers of one node: what its assignments make of them, and what becomes of them with time. */
export class SimulatedInstances {
  readonly #pace: Pace
  readonly #later: Later
  readonly #changed: (instance: SimulatedInstance) => void
  readonly #instances = new Map<string, SimulatedInstance>()
  static #serial = 0

  /** `later`: {@link advance} is to be called for it after that time. `changed`: its status is news. */
  constructor(pace: Pace, later: Later, changed: (instance: SimulatedInstance) => void) {
    this.#pace = pace
    this.#later = later
    this.#changed = changed
  }

  get size(): number {
    return this.#instances.size
  }

  values(): IterableIterator<SimulatedInstance> {
    return this.#instances.values()
  }

  get(id: string): SimulatedInstance | undefined {
    return this.#instances.get(id)
  }

  assign({ instance: id, createdAt, address, type, desired }: Assignment): void {
    const known = this.#instances.get(id)
    if (known !== undefined && known.createdAt === createdAt) {
      if (desired === 'stop') this.#stop(known)
      return
    }
    SimulatedInstances.#serial += 1
    const serial = SimulatedInstances.#serial
    const times = { startedAt: 0, readyAt: 0 }
    const made = { id, createdAt, address, isJob: type === 'job', serial, phase: 'assigned' as const, ...times }
    this.#instances.set(id, made)
    if (desired === 'stop') this.#become(made, 'ended')
    // As a real agent: it tells once it has begun to do something about it.
    else this.#later(made, this.#about(this.#pace.startMs))
  }

  forget(id: string, createdAt: number | undefined): void {
    const known = this.#instances.get(id)
    if (known !== undefined && (createdAt === undefined || known.createdAt === createdAt)) this.#instances.delete(id)
  }

  /** Its time has come: the next thing happens to it. */
  advance(instance: SimulatedInstance): void {
    // Forgotten meanwhile, or replaced by another of the same name.
    if (this.#instances.get(instance.id) !== instance) return
    const { phase, isJob } = instance
    if (phase === 'assigned') {
      instance.startedAt = Date.now()
      this.#become(instance, 'running')
      this.#later(instance, this.#about(this.#pace.readyMs))
    } else if (phase === 'running' && !isJob) {
      instance.readyAt = Date.now()
      this.#become(instance, 'ready')
    } else if (phase === 'running' || phase === 'stopping') this.#become(instance, 'ended')
  }

  /** As by a reboot: everything starts again. */
  restartAll(): void {
    for (const instance of this.#instances.values()) {
      if (instance.phase !== 'running' && instance.phase !== 'ready') continue
      this.#become(instance, 'running')
      this.#later(instance, this.#about(this.#pace.readyMs))
    }
  }

  #stop(instance: SimulatedInstance): void {
    if (instance.phase === 'stopping' || instance.phase === 'ended') return
    this.#become(instance, 'stopping')
    this.#later(instance, this.#about(this.#pace.stopMs))
  }

  #become(instance: SimulatedInstance, phase: SimulatedPhase): void {
    instance.phase = phase
    this.#changed(instance)
  }

  #about(timeMs: number): number {
    return timeMs * (1 + this.#pace.jitter * (2 * Math.random() - 1))
  }
}

/** As a real agent reports it; `skewMs` is how far the node's clock is ahead. */
export function statusOf(instance: SimulatedInstance, node: string, skewMs: number): InstanceStatus {
  const { id, createdAt, address, phase, serial, startedAt, readyAt } = instance
  const ready = phase === 'ready'
  const started = startedAt > 0
  return {
    id,
    ...(createdAt === undefined ? {} : { createdAt }),
    node,
    phase: ready ? 'running' : phase,
    ready,
    ...(ready ? { readyAt: readyAt + skewMs } : {}),
    ...(started ? { containerId: serial.toString(16).padStart(64, '0'), pid: 1000 + (serial % 4_000_000) } : {}),
    address,
    restarts: 0,
    ...(started ? { startedAt: startedAt + skewMs } : {}),
    ...(phase === 'ended' ? endOf(skewMs) : {}),
  }
}

function endOf(skewMs: number): Pick<InstanceStatus, 'endedAt' | 'lastExit'> {
  const at = Date.now() + skewMs
  return { endedAt: at, lastExit: { code: 0, outOfMemory: false, at } }
}
