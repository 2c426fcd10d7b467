import type { Instance } from '../model/instance.ts'
import type { KeptAddress } from '../model/kept-address.ts'
import type { GateSample } from '../rollout/gate-sample.ts'
import type { HookAnswer } from '../rollout/hook-answer.ts'
import { placingSites } from '../rollout/stage-under-way.ts'
import { dueSizes, ownSizes, withSizes } from '../spec/sizes-of.ts'
import { decidePool } from './decide-pool.ts'
import { instanceRecord, statusRecord } from './pool-fixtures.testing.ts'
import { PoolRecords, type SimulatedInstance } from './pool-records.testing.ts'
import {
  type ImageArrival,
  isAtWork,
  type ObservedInstance,
  type PoolPlan,
  type PoolSnapshot,
  type PoolStep,
} from './pool-snapshot.ts'
import { ServiceTimes } from './service-times.ts'

/** A pool with pretended nodes and gateways: applies plans, and lets instances start, become ready, fail, drain and end. */
export class PoolWorld extends PoolRecords {
  /** Releases whose instances never become ready and whose jobs fail. */
  broken = new Set<string>()
  /** Nodes whose agents are silent: their containers go on, and nothing is heard of them. */
  silent = new Set<string>()
  /** Nodes given up: silent, and their instances are to be replaced. */
  lost = new Set<string>()
  /** Nodes that everything has to leave. */
  drained = new Set<string>()
  /** No gateway takes in what it is told. */
  gatewaysStuck = false
  /** All that there are. */
  nodes = new Set(['node-a', 'node-b', 'node-c'])
  /** What a new instance finds instead of a node. */
  full = false
  /** Nodes on which nothing that runs can be given more. */
  tight = new Set<string>()
  /** Where a rollout's image is, of the nodes that will need it. */
  images = new Map<string, ImageArrival>()
  /** What the source of each gate of the stage says. */
  samples: readonly (GateSample | undefined)[] = []
  /** What came of hooks that are URLs, by their ids. */
  answers = new Map<string, HookAnswer>()
  /** Called with every step before it is applied. */
  onStep: (step: PoolStep) => void = () => {}
  nextOrdinal = 1
  /** By address. */
  kept = new Map<string, KeptAddress>()
  times = new ServiceTimes(0)

  wait(ms: number): void {
    this.now += ms
  }

  silence(node: string): void {
    this.silent.add(node)
  }

  hear(node: string): void {
    this.silent.delete(node)
    this.lost.delete(node)
  }

  lose(node: string): void {
    this.silent.add(node)
    this.lost.add(node)
  }

  addNode(node: string): void {
    this.nodes.add(node)
  }

  /** As the server has it: only a node that nobody is assigned to can go. */
  removeNode(node: string): void {
    if ([...this.instances.values()].every((each) => each.instance.node !== node)) this.nodes.delete(node)
  }

  drain(node: string): void {
    this.drained.add(node)
  }

  undrain(node: string): void {
    this.drained.delete(node)
  }

  stickGateways(stuck: boolean): void {
    this.gatewaysStuck = stuck
  }

  /** Only while no rollout holds the pool, as the server has it. */
  resize(entrypoint: string, cpuMilli: number): void {
    const spec = this.specs.get(this.pool.release ?? '')?.entrypoints[entrypoint]
    if (this.rollout !== undefined || spec === undefined) return
    this.pool = { ...this.pool, sizes: withSizes(this.pool.sizes, entrypoint, spec, { cpuMilli }) }
  }

  tighten(node: string, tight: boolean): void {
    if (tight) this.tight.add(node)
    else this.tight.delete(node)
  }

  fill(full: boolean): void {
    this.full = full
  }

  /** Nothing is wrong any more. */
  recover(): void {
    this.silent.clear()
    this.lost.clear()
    this.drained.clear()
    this.gatewaysStuck = false
    this.full = false
    this.tight.clear()
    this.images.clear()
  }

  bringImage(node: string, state: ImageArrival['state']): void {
    this.images.set(node, { node, state })
  }

  /** The decider starts anew: what it kept in memory is gone. */
  restartDecider(): void {
    this.times = new ServiceTimes(this.now)
  }

  snapshot(): PoolSnapshot {
    const instances = [...this.instances.values()].map((each) => this.#observe(each))
    const nodes = [...this.nodes].map((name) => ({
      ...{ name, group: 'default', labels: {}, taints: [] },
      ...{ drained: this.drained.has(name), online: !this.silent.has(name) },
    }))
    const kept = [...this.kept.values()]
    const base = { pool: this.pool, specs: this.specs, instances, kept, listeningSince: this.times.startedAt, nodes }
    if (this.rollout === undefined) return base
    return {
      ...base,
      sites: new Map([...this.nodes].map((name) => [name, siteOfNode(name)])),
      rollout: this.rollout,
      images: [...this.images.values()],
      gates: this.samples,
      hooks: this.answers,
    }
  }

  plan(): PoolPlan {
    return decidePool(this.snapshot(), this.now)
  }

  decide(): readonly PoolStep[] {
    return this.plan().steps
  }

  apply(steps: readonly PoolStep[]): void {
    for (const step of steps) {
      this.onStep(step)
      this.#applyOne(step)
    }
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
    const heard = instance.node !== undefined && !this.silent.has(instance.node)
    if (instance.desired === 'run' && status?.ready === true && !this.gatewaysStuck) this.#takeIn(each)
    else if (instance.desired === 'run' && heard && status?.phase !== 'ended') this.#start(each)
    else if (instance.desired === 'drain' && each.inTraffic) each.inTraffic = this.gatewaysStuck
    else if (instance.desired === 'drain') each.inflight = 0
    else if (instance.desired === 'stop' && heard) {
      each.inTraffic = false
      each.status = statusRecord(instance, { phase: 'ended', endedAt: this.now })
    }
  }

  /** Its container fails; the agent starts it again with the next step. */
  crash(id: string): void {
    const each = this.instances.get(id)
    if (each?.status === undefined || each.status.phase === 'ended') return
    if (this.silent.has(each.instance.node ?? '')) return
    each.status = { ...each.status, ready: false }
    each.inTraffic = false
  }

  #observe(each: SimulatedInstance): ObservedInstance {
    const { instance, status, inTraffic, inflight } = each
    const nodeOnline = instance.node !== undefined && !this.silent.has(instance.node)
    const base = { instance, nodeOnline, outOfTraffic: !inTraffic, inTraffic, routed: true, inflight }
    const leaves = {
      ...(this.drained.has(instance.node ?? '') ? { moves: `${instance.node} is drained` } : {}),
      ...(this.lost.has(instance.node ?? '') ? { lost: `${instance.node} is lost` } : {}),
    }
    const observed = { ...base, ...leaves, ...this.#due(instance), ...(status === undefined ? {} : { status }) }
    const works = isAtWork(observed)
    const since = this.times.note(instance.id, works, this.now, works ? this.now : instance.createdAt)
    return { ...observed, since }
  }

  #due(instance: Instance): Pick<ObservedInstance, 'resize'> {
    const spec = this.specs.get(instance.release)?.entrypoints[instance.entrypoint]
    const to = spec === undefined ? undefined : dueSizes(instance, spec, this.pool, this.rollout)
    if (to === undefined) return {}
    return this.tight.has(instance.node ?? '') ? { resize: { to, refused: 'no room' } } : { resize: { to } }
  }

  #takeIn(each: SimulatedInstance): void {
    if (each.inTraffic) return
    each.inTraffic = true
    each.inflight = 1
  }

  #start(each: SimulatedInstance): void {
    const { instance, status } = each
    const good = !this.broken.has(instance.release)
    if (instance.type === 'job' && status !== undefined) {
      const exit = { code: good ? 0 : 1, outOfMemory: false, at: this.now }
      each.status = { ...status, phase: 'ended', lastExit: exit, endedAt: this.now }
    } else if (status === undefined) each.status = statusRecord(instance, { phase: 'running', startedAt: this.now })
    else if (good) each.status = { ...status, ready: true, readyAt: this.now }
    else each.status = { ...status, restarts: status.restarts + 1 }
  }

  #applyOne(step: PoolStep): void {
    if (step.type === 'create') this.#create(step)
    else if (step.type === 'update-pool') this.pool = step.pool
    else if (step.type === 'update-rollout') this.rollouts.set(step.rollout.id, step.rollout)
    else if (step.type === 'forget') this.instances.delete(step.instance)
    else if (step.type === 'drain' || step.type === 'stop') this.#desire(step)
    else if (step.type === 'resize') this.#resize(step)
    else if (step.type === 'release-address') this.kept.delete(step.address)
  }

  #resize({ instance: id, sizes }: PoolStep & { type: 'resize' }): void {
    const each = this.instances.get(id)
    if (each === undefined) throw new Error(`no instance ${id}`)
    each.instance = { ...each.instance, sizes }
  }

  #desire({ type: desired, instance: id, reason: stopReason }: PoolStep & { type: 'drain' | 'stop' }): void {
    const each = this.instances.get(id)
    if (each === undefined) throw new Error(`no instance ${id}`)
    const since = desired === 'drain' ? { drainSince: this.now } : {}
    each.instance = { ...each.instance, desired, stopReason, ...since }
  }

  /** The first node that is heard of, in turns; none when the cluster is full. */
  #create(step: PoolStep & { type: 'create' }): void {
    const { entrypoint, release, generation, kind: type, rollout } = step
    const ordinal = this.nextOrdinal++
    const at = type === 'service' ? this.#sitesFor(generation) : undefined
    const node = this.full ? undefined : this.#nodeFor(ordinal, step.node, at)
    const sizes = ownSizes(entrypoint, this.pool, this.rollout)
    const instance = instanceRecord({
      ...(sizes === undefined ? {} : { sizes }),
      ...{ entrypoint, ordinal, release, generation, type, createdAt: this.now },
      ...(node === undefined ? {} : { node, address: this.#addressFor(entrypoint, step.slot, ordinal) }),
      ...(step.node === undefined ? {} : { pinnedTo: step.node }),
      ...(step.slot === undefined ? {} : { slot: step.slot }),
      ...(rollout === undefined ? {} : { rollout }),
    })
    this.instances.set(instance.id, { instance, inTraffic: false, inflight: 0 })
  }

  /** Unplaced instances find a node as soon as there is one. */
  place(): void {
    if (this.full) return
    for (const each of this.instances.values()) {
      const { entrypoint, slot, ordinal, type, generation } = each.instance
      const at = type === 'service' ? this.#sitesFor(generation) : undefined
      const node = this.#nodeFor(ordinal, each.instance.pinnedTo, at)
      if (each.instance.node === undefined && each.instance.desired === 'run' && node !== undefined)
        each.instance = { ...each.instance, node, address: this.#addressFor(entrypoint, slot, ordinal) }
    }
  }

  /** The one that is kept for the slot, from its first instance on. */
  #addressFor(entrypoint: string, slot: number | undefined, ordinal: number): string {
    const { app, name: pool } = this.pool
    const known = [...this.kept.values()].find((each) => each.entrypoint === entrypoint && each.slot === slot)
    const address = known?.address ?? `10.0.0.${ordinal}`
    if (slot !== undefined) this.kept.set(address, { address, app, pool, entrypoint, slot, since: this.now })
    return address
  }

  /** As the server has it. */
  #sitesFor(generation: number): readonly string[] | undefined {
    const { rollout } = this
    return generation === rollout?.toGeneration ? placingSites(rollout, this.specs.get(rollout.to)) : undefined
  }

  #nodeFor(ordinal: number, pinnedTo: string | undefined, sites?: readonly string[]): string | undefined {
    const online = [...this.nodes].filter(
      (node) => !this.silent.has(node) && !this.drained.has(node) && sites?.includes(siteOfNode(node)) !== false,
    )
    if (pinnedTo !== undefined) return online.find((node) => node === pinnedTo)
    return online[ordinal % Math.max(1, online.length)]
  }
}

/** The first one is alone at its site. */
export const siteOfNode = (name: string): string => (name === 'node-a' ? 'paris' : 'lyon')
