import type { Instance, InstanceStatus, Pool, Rollout } from '../model/index.ts'
import type { ObservedInstance, PoolSnapshot, PoolStep } from '../reconcile/pool-snapshot.ts'

/** A node for an instance, entered where rooms are counted; or why there is none. */
export type RehearsedPlace = { readonly node: string } | { readonly refused: string }

/** The cluster as a rehearsal sees it: a copy that may be changed. */
export interface RehearsalNodes {
  /** Finds a place as a rollout does. `snapshot`: as of that moment. */
  readonly place: (instance: Instance, snapshot: PoolSnapshot) => RehearsedPlace
  /** It has ended: its room is free. */
  readonly leave: (instance: string) => void
  /** What is given out on a node now. */
  readonly usedOn: (node: string) => NodeUse | undefined
}

/** CPU in thousandths of a core, memory in bytes. */
export interface NodeUse {
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** All that it has. */
  readonly ofCpuMilli: number
  readonly ofMemoryBytes: number
}

export type Happening = 'quick' | 'ready'

/** A pool whose steps are applied at once, on nodes that do all they are told and gateways that take in every table. */
export class RehearsedPool {
  readonly #nodes: RehearsalNodes
  readonly #base: PoolSnapshot
  readonly instances: Map<string, ObservedInstance>
  readonly #ordinals: Record<string, number>
  readonly #refused = new Map<string, string>()
  pool: Pool
  rollout: Rollout | undefined
  now: number

  constructor(base: PoolSnapshot, nodes: RehearsalNodes, now: number) {
    this.#base = base
    this.#nodes = nodes
    this.instances = new Map(base.instances.map((each) => [each.instance.id, each]))
    this.#ordinals = { ...base.pool.nextOrdinal }
    this.pool = base.pool
    this.rollout = base.rollout
    this.now = now
  }

  snapshot(): PoolSnapshot {
    const { rollout: _, ...base } = this.#base
    const instances = [...this.instances.values()]
    const rollout = this.rollout?.endedAt === undefined ? this.rollout : undefined
    return { ...base, pool: this.pool, instances, ...(rollout === undefined ? {} : { rollout }) }
  }

  /** Those that have no place yet, and why. */
  unplaced(): { readonly instance: Instance; readonly refused: string }[] {
    return [...this.instances.values()].flatMap(({ instance }) =>
      instance.node === undefined && instance.desired === 'run'
        ? [{ instance, refused: this.#refused.get(instance.id) ?? '' }]
        : [],
    )
  }

  /** What it creates, if it does. */
  apply(step: PoolStep): Instance | undefined {
    if (step.type === 'create') return this.#create(step)
    if (step.type === 'drain' || step.type === 'stop') this.#desire(step)
    else if (step.type === 'forget') this.instances.delete(step.instance)
    else if (step.type === 'update-pool') this.pool = step.pool
    else if (step.type === 'update-rollout') this.rollout = step.rollout
    return undefined
  }

  /** Those without a place try again; answers with whoever has found one. */
  placeWaiting(): Instance[] {
    return this.unplaced()
      .map(({ instance }) => this.#place(instance))
      .filter(({ node }) => node !== undefined)
  }

  /**
   * What happens next. `quick`: what leaves is out of traffic and without requests, what was told to stop has ended. `ready`: new ones serve.
   * True: something has happened.
   */
  happen(what: Happening): boolean {
    let happened = false
    for (const each of this.instances.values()) {
      const next = what === 'quick' ? this.#quick(each) : this.#ready(each)
      if (next === undefined) continue
      this.instances.set(each.instance.id, next)
      happened = true
    }
    return happened
  }

  #quick(each: ObservedInstance): ObservedInstance | undefined {
    const { instance, status } = each
    if (instance.desired === 'drain' && (!each.outOfTraffic || each.inflight > 0))
      return { ...each, inTraffic: false, outOfTraffic: true, inflight: 0, since: this.now }
    if (instance.desired !== 'stop' || instance.node === undefined || status?.phase === 'ended') return undefined
    this.#nodes.leave(instance.id)
    return {
      ...{ ...each, inTraffic: false, outOfTraffic: true, inflight: 0 },
      status: statusOf(instance, { phase: 'ended', endedAt: this.now }),
    }
  }

  /** One that is there already and does not serve is not taken to recover. */
  #ready(each: ObservedInstance): ObservedInstance | undefined {
    const { instance, status } = each
    if (instance.desired !== 'run' || instance.node === undefined || status !== undefined) return undefined
    const serving = { inTraffic: true, outOfTraffic: false, since: this.now }
    const running = { phase: 'running', ready: true, readyAt: this.now, startedAt: this.now } as const
    return { ...each, ...serving, status: statusOf(instance, running) }
  }

  #create(step: PoolStep & { readonly type: 'create' }): Instance {
    const { entrypoint, release, generation, kind: type, rollout } = step
    const ordinal = this.#ordinals[entrypoint] ?? 1
    this.#ordinals[entrypoint] = ordinal + 1
    const { app, name: pool } = this.pool
    const instance: Instance = {
      ...{ id: `${app}.${pool}.${entrypoint}-${ordinal}`, app, pool, entrypoint, ordinal, release, generation, type },
      ...{ desired: 'run', restartNonce: 0, createdAt: this.now, createdBy: '' },
      ...(rollout === undefined ? {} : { rollout }),
      ...(step.node === undefined ? {} : { pinnedTo: step.node }),
      ...(step.slot === undefined ? {} : { slot: step.slot }),
    }
    this.instances.set(instance.id, {
      ...{ instance, nodeOnline: true, since: this.now, routed: false },
      ...{ inTraffic: false, outOfTraffic: true, inflight: 0 },
    })
    return this.#place(instance)
  }

  #place(instance: Instance): Instance {
    const each = this.instances.get(instance.id)
    const found = this.#nodes.place(instance, this.snapshot())
    if ('refused' in found) {
      this.#refused.set(instance.id, found.refused)
      return instance
    }
    const placed = { ...instance, node: found.node }
    if (each !== undefined) this.instances.set(instance.id, { ...each, instance: placed })
    return placed
  }

  #desire({ type: desired, instance: id, reason: stopReason }: PoolStep & { type: 'drain' | 'stop' }): void {
    const each = this.instances.get(id)
    if (each === undefined) return
    const drainSince = desired === 'drain' ? { drainSince: this.now } : {}
    this.instances.set(id, { ...each, instance: { ...each.instance, desired, stopReason, ...drainSince } })
  }
}

const statusOf = (instance: Instance, over: Partial<InstanceStatus>): InstanceStatus => ({
  ...{ id: instance.id, node: instance.node ?? '', phase: 'running', ready: false, restarts: 0 },
  ...over,
})
