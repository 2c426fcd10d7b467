import type { AppSpec, EntrypointSpec, Instance, InstanceStatus, Pool, Rollout } from '../model/index.ts'
import { decidePool } from './decide-pool.ts'
import type { ObservedInstance, PoolSnapshot, PoolStep } from './pool-snapshot.ts'

export const entrypointSpec = (over: Partial<EntrypointSpec> = {}): EntrypointSpec => ({
  type: 'service',
  command: [],
  replicas: 1,
  resources: {},
  ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
  env: {},
  secrets: [],
  config: [],
  bind: [],
  volumes: [],
  sysctls: {},
  ulimits: [],
  capabilities: [],
  init: false,
  health: {},
  hooks: {},
  restart: 'always',
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
  drainMs: 30_000,
  readyTimeoutMs: 60_000,
  labels: {},
  logs: { maxBytes: 10 * 1024 ** 2, maxFiles: 3 },
  jobTimeoutMs: 0,
  ...over,
})

export const appSpec = (
  entrypoints: Record<string, EntrypointSpec>,
  rollout: Partial<AppSpec['rollout']> = {},
): AppSpec => ({
  app: 'shop',
  build: { type: 'image', image: 'shop' },
  entrypoints,
  routes: [],
  rollout: { surge: 1, unavailable: 0, settleMs: 0, before: [], ...rollout },
  environments: {},
})

export const poolRecord = (over: Partial<Pool> = {}): Pool => ({
  app: 'shop',
  name: 'production',
  environment: 'production',
  generation: 0,
  nextGeneration: 1,
  replicas: {},
  nextOrdinal: {},
  createdAt: 0,
  ...over,
})

/** A pool with a pretended node and gateway: applies plans, and lets instances start, become ready, fail, drain and end. */
export class PoolWorld {
  now = 0
  pool: Pool
  rollouts = new Map<string, Rollout>()
  specs = new Map<string, AppSpec>()
  instances = new Map<string, { instance: Instance; status?: InstanceStatus; inTraffic: boolean; inflight: number }>()
  /** Releases whose instances never become ready. */
  broken = new Set<string>()
  nextOrdinal = 1

  constructor(pool: Pool = poolRecord()) {
    this.pool = pool
  }

  startRollout(to: string, reason: Rollout['reason'] = 'deploy'): Rollout {
    const generation = this.pool.nextGeneration
    const rollout: Rollout = {
      id: `r${generation}`,
      app: 'shop',
      pool: 'production',
      reason,
      to,
      fromGeneration: this.pool.generation,
      toGeneration: generation,
      state: 'running',
      message: '',
      progress: {},
      jobsDone: [],
      replicasBefore: this.pool.replicas,
      createdAt: this.now,
      updatedAt: this.now,
      createdBy: 'test',
      ...(this.pool.release === undefined ? {} : { from: this.pool.release }),
    }
    this.rollouts.set(rollout.id, rollout)
    this.pool = { ...this.pool, rollout: rollout.id, nextGeneration: generation + 1 }
    return rollout
  }

  get rollout(): Rollout | undefined {
    return this.pool.rollout === undefined ? undefined : this.rollouts.get(this.pool.rollout)
  }

  snapshot(): PoolSnapshot {
    const instances = [...this.instances.values()].map((each): ObservedInstance => {
      const base = {
        instance: each.instance,
        nodeOnline: true,
        outOfTraffic: !each.inTraffic,
        inTraffic: each.inTraffic,
        routed: true,
        inflight: each.inflight,
      }
      return each.status === undefined ? base : { ...base, status: each.status }
    })
    const base = { pool: this.pool, specs: this.specs, instances }
    return this.rollout === undefined ? base : { ...base, rollout: this.rollout }
  }

  decide(): readonly PoolStep[] {
    return decidePool(this.snapshot(), this.now).steps
  }

  apply(steps: readonly PoolStep[]): void {
    for (const step of steps) this.#applyOne(step)
  }

  serving(): number {
    return [...this.instances.values()].filter((each) => each.inTraffic && each.status?.ready === true).length
  }

  existing(): number {
    return [...this.instances.values()].filter(
      (each) => each.instance.type === 'service' && each.instance.desired !== 'stop',
    ).length
  }

  /** One thing happens to one instance: what a node or gateway would do next with it. */
  advance(id: string): void {
    const each = this.instances.get(id)
    if (each === undefined) return
    const { instance, status } = each
    if (instance.desired === 'run' && status?.phase !== 'ended') this.#start(each)
    else if (instance.desired === 'drain' && each.inTraffic) each.inTraffic = false
    else if (instance.desired === 'drain') each.inflight = 0
    else if (instance.desired === 'stop') {
      each.inTraffic = false
      each.status = { ...statusOf(instance), phase: 'ended', ready: false, endedAt: this.now }
    }
  }

  #start(each: { instance: Instance; status?: InstanceStatus; inTraffic: boolean; inflight: number }): void {
    const { instance, status } = each
    const ready = !this.broken.has(instance.release)
    if (instance.type === 'job') {
      const exit = { code: ready ? 0 : 1, outOfMemory: false, at: this.now }
      each.status = { ...statusOf(instance), phase: 'ended', lastExit: exit, startedAt: this.now, endedAt: this.now }
    } else if (status === undefined) each.status = { ...statusOf(instance), phase: 'running', startedAt: this.now }
    else if (!status.ready && ready) each.status = { ...status, ready: true, readyAt: this.now }
    else if (!status.ready) each.status = { ...status, restarts: status.restarts + 1 }
    else if (!each.inTraffic) {
      each.inTraffic = true
      each.inflight = 1
    }
  }

  #applyOne(step: PoolStep): void {
    if (step.type === 'create') this.#create(step)
    else if (step.type === 'update-pool') this.pool = step.pool
    else if (step.type === 'update-rollout') this.rollouts.set(step.rollout.id, step.rollout)
    else if (step.type === 'forget') this.instances.delete(step.instance)
    else if (step.type === 'drain' || step.type === 'stop') this.#desire(step.instance, step.type)
  }

  #desire(id: string, desired: 'drain' | 'stop'): void {
    const each = this.instances.get(id)
    if (each === undefined) throw new Error(`no instance ${id}`)
    each.instance = { ...each.instance, desired, ...(desired === 'drain' ? { drainSince: this.now } : {}) }
    if (desired === 'stop') each.inTraffic = false
  }

  #create(step: PoolStep & { type: 'create' }): void {
    const ordinal = this.nextOrdinal++
    const id = `shop.production.${step.entrypoint}-${ordinal}`
    const instance: Instance = {
      id,
      app: 'shop',
      pool: 'production',
      entrypoint: step.entrypoint,
      ordinal,
      release: step.release,
      generation: step.generation,
      type: step.kind,
      node: 'node-a',
      address: `10.0.0.${ordinal}`,
      desired: 'run',
      restartNonce: 0,
      createdAt: this.now,
      createdBy: 'test',
      ...(step.rollout === undefined ? {} : { rollout: step.rollout }),
    }
    this.instances.set(id, { instance, inTraffic: false, inflight: 0 })
  }
}

const statusOf = (instance: Instance): InstanceStatus => ({
  id: instance.id,
  node: 'node-a',
  phase: 'assigned',
  ready: false,
  restarts: 0,
})
