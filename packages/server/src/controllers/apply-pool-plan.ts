import {
  askedSizes,
  type EntrypointSpec,
  type Instance,
  type InstanceRequest,
  ownSizes,
  type Pool,
  type PoolSnapshot,
  type PoolStep,
  type Rollout,
  sizeChange,
} from '@berth/core'
import type { RecordTransaction, State } from '../records/index.ts'
import { poolId } from '../records/index.ts'
import { grantChange } from '../schedule/grant-change.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import { nameLabel, requestOf } from '../schedule/request-of.ts'
import { maxOperations } from '../store/store.ts'

/** Operations and compares: of the pool's record and its rollout's, of a node's fence, and the most that a step takes without them. */
const recordCost = 3
const fenceCost = 2
const stepCost = 3

type Step<T extends PoolStep['type']> = Extract<PoolStep, { readonly type: T }>
type Executors = { readonly [T in PoolStep['type']]: (step: Step<T>) => void }

/**
 * Writes a plan's steps into a transaction that fails when the pool, its rollout or the books of a node used have changed since the
 * snapshot. What does not fit is left for the next look.
 */
export class PoolPlanWriter {
  readonly #tx: RecordTransaction
  readonly #state: State
  readonly #snapshot: PoolSnapshot
  readonly #books: LiveBooks
  readonly #now: number
  /** With the address that was given out last. */
  readonly #fenced = new Map<string, string | undefined>()
  /** Why there is no room for another one of that kind. */
  readonly #refused = new Map<string, string>()
  /** What the books were told; to be restored when the commit fails. */
  readonly entered: string[] = []
  /** Placed by this plan. */
  readonly #taken: Pick<Instance, 'entrypoint' | 'generation' | 'node'>[] = []
  #pool: Pool
  #removed = false

  constructor(tx: RecordTransaction, state: State, snapshot: PoolSnapshot, books: LiveBooks, now: number) {
    this.#tx = tx
    this.#state = state
    this.#snapshot = snapshot
    this.#books = books
    this.#now = now
    this.#pool = snapshot.pool
  }

  write(steps: readonly PoolStep[], waiting: readonly Instance[]): void {
    const touched = new Set<string>()
    for (const step of steps) {
      if (!this.#fits()) break
      ;(this.#executors[step.type] as (step: PoolStep) => void)(step)
      if ('instance' in step) touched.add(step.instance)
    }
    for (const instance of waiting) if (this.#fits() && !touched.has(instance.id)) this.#placeAgain(instance)
    if (!this.#tx.isEmpty && !this.#removed) this.#fence()
  }

  #fits(): boolean {
    const used = this.#tx.size + this.#fenced.size * fenceCost
    return used + stepCost + fenceCost + recordCost <= maxOperations
  }

  #fence(): void {
    const { rollout } = this.#snapshot
    if (rollout !== undefined) this.#tx.require('rollouts', rollout.id)
    if (this.#pool === this.#snapshot.pool) this.#tx.require('pools', poolId(this.#pool.app, this.#pool.name))
    else this.#tx.put('pools', this.#pool, { ifUnchanged: true })
    for (const [node, lastAddress] of this.#fenced) {
      const last = lastAddress === undefined ? {} : { lastAddress }
      this.#tx.put('fences', { node, ...last, updatedAt: this.#now }, { ifUnchanged: true })
    }
  }

  readonly #executors: Executors = {
    create: (step) => this.#create(step),
    drain: (step) => this.#desire(step.instance, { desired: 'drain', drainSince: this.#now, stopReason: step.reason }),
    stop: (step) => this.#desire(step.instance, { desired: 'stop', stopReason: step.reason }),
    resize: (step) => this.#resize(step),
    forget: (step) => {
      this.#tx.delete('instances', step.instance)
      if (this.#state.statuses.has(step.instance)) this.#tx.delete('statuses', step.instance)
    },
    'update-rollout': (step) => this.#updateRollout(step.rollout),
    'update-pool': (step) => {
      this.#pool = { ...step.pool, nextOrdinal: this.#pool.nextOrdinal }
    },
    'remove-pool': () => {
      this.#removed = true
      const { app, name } = this.#pool
      this.#tx.delete('pools', poolId(app, name), { ifUnchanged: true })
      this.#tx.event({ type: 'pool.removed', subject: { app, pool: name }, message: `${app}/${name} is removed` })
    },
  }

  #create(step: Step<'create'>): void {
    const { app, name: pool } = this.#pool
    const ordinal = this.#pool.nextOrdinal[step.entrypoint] ?? 1
    this.#pool = { ...this.#pool, nextOrdinal: { ...this.#pool.nextOrdinal, [step.entrypoint]: ordinal + 1 } }
    const instance: Instance = {
      id: `${app}.${pool}.${step.entrypoint}-${ordinal}`,
      app,
      pool,
      entrypoint: step.entrypoint,
      ordinal,
      release: step.release,
      generation: step.generation,
      type: step.kind,
      ...(step.rollout === undefined ? {} : { rollout: step.rollout }),
      ...(step.node === undefined ? {} : { pinnedTo: step.node }),
      desired: 'run',
      restartNonce: 0,
      createdAt: this.#now,
      createdBy: this.#snapshot.rollout?.createdBy ?? 'system:pools',
    }
    const placed = this.#place(instance)
    // No compare: the ordinal comes from the pool's record, which this transaction compares.
    this.#tx.put('instances', placed)
    const where = placed.node === undefined ? `waits: ${placed.unplaced}` : `on ${placed.node} at ${placed.address}`
    this.#instanceEvent('instance.created', placed, `${placed.id} ${where}`)
  }

  /** Without room after all (another of this plan has taken it) the next look decides anew. */
  #resize({ instance: id, sizes }: Step<'resize'>): void {
    const instance = this.#state.instances.get(id)
    const spec = instance === undefined ? undefined : this.#specOf(instance)
    if (instance === undefined || spec === undefined) return
    const own = ownSizes(instance.entrypoint, this.#pool, this.#snapshot.rollout)
    const resized = this.#books.resize(instance, sizeChange(askedSizes(instance, spec), sizes), own)
    if (resized?.node === undefined) return
    this.entered.push(id)
    this.#fenced.set(resized.node, this.#fenced.get(resized.node) ?? this.#state.fences.get(resized.node)?.lastAddress)
    this.#tx.put('instances', resized, { ifUnchanged: true })
    this.#instanceEvent('instance.resized', resized, `${id} on ${resized.node}: ${grantChange(instance, resized)}`)
  }

  #placeAgain(instance: Instance): void {
    const placed = this.#place(instance)
    if (placed.node === undefined && placed.unplaced === instance.unplaced) return
    this.#tx.put('instances', placed, { ifUnchanged: true })
    if (placed.node !== undefined)
      this.#instanceEvent('instance.placed', placed, `${placed.id} on ${placed.node} at ${placed.address}`)
  }

  #place(instance: Instance): Instance {
    const request = this.#requestOf(instance)
    if (request === undefined)
      return { ...instance, unplaced: `release ${instance.release} has no entrypoint ${instance.entrypoint}` }
    const kind = `${instance.release}/${instance.entrypoint}/${instance.type}/${instance.pinnedTo ?? ''}`
    const refused = this.#refused.get(kind)
    if (refused !== undefined) return { ...instance, unplaced: refused }
    const planned = this.#plannedNode(instance)
    const where = planned === undefined ? request.where : [...(request.where ?? []), `${nameLabel} = ${planned}`]
    const result = this.#books.place(instance.id, where === undefined ? request : { ...request, where })
    if (!result.placed) {
      if (planned === undefined) this.#refused.set(kind, result.message)
      const why = planned === undefined ? result.message : `planned for ${planned}: ${result.message}`
      return { ...instance, unplaced: why }
    }
    this.entered.push(instance.id)
    this.#taken.push({ entrypoint: instance.entrypoint, generation: instance.generation, node: result.record.node })
    this.#fenced.set(result.record.node, result.record.address)
    const { unplaced: _, ...rest } = instance
    const sizes = ownSizes(instance.entrypoint, this.#pool, this.#snapshot.rollout)
    return { ...rest, ...(sizes === undefined ? {} : { sizes }), ...result.record }
  }

  /** The first slot of an applied plan that nobody has taken. */
  #plannedNode({ type, entrypoint, generation }: Instance): string | undefined {
    const { app, name, planned } = this.#pool
    if (planned?.generation !== generation || type === 'job') return undefined
    const left = [...(planned.slots[entrypoint] ?? [])]
    const running = this.#state.instances.byPool(app, name).filter((each) => each.desired === 'run')
    for (const each of [...running, ...this.#taken]) {
      if (each.entrypoint !== entrypoint || each.generation !== generation || each.node === undefined) continue
      const at = left.indexOf(each.node)
      if (at >= 0) left.splice(at, 1)
    }
    return left[0]
  }

  #requestOf(instance: Instance): InstanceRequest | undefined {
    const spec = this.#specOf(instance)
    return spec === undefined ? undefined : requestOf(instance, spec, this.#pool, this.#snapshot.rollout)
  }

  #specOf({ release, entrypoint }: Instance): EntrypointSpec | undefined {
    return this.#snapshot.specs.get(release)?.entrypoints[entrypoint]
  }

  #desire(id: string, change: Pick<Instance, 'desired' | 'stopReason'> & Partial<Pick<Instance, 'drainSince'>>): void {
    const instance = this.#state.instances.get(id)
    if (instance === undefined) return
    this.#tx.put('instances', { ...instance, ...change }, { ifUnchanged: true })
    const verb = change.desired === 'drain' ? 'leaves traffic' : 'is stopped'
    this.#instanceEvent(`instance.${change.desired}`, instance, `${id} ${verb}: ${change.stopReason ?? ''}`)
  }

  #updateRollout(rollout: Rollout): void {
    const before = this.#snapshot.rollout
    this.#tx.put('rollouts', rollout, { ifUnchanged: true })
    if (before?.state === rollout.state) return
    const { app, pool, id } = rollout
    this.#tx.event({
      type: `rollout.${rollout.state}`,
      subject: { app, pool, rollout: id, release: rollout.to },
      message: `${app}/${pool}: ${rollout.message}`,
    })
  }

  #instanceEvent(type: string, instance: Instance, message: string): void {
    const { app, pool, id, node } = instance
    this.#tx.event({ type, subject: { app, pool, instance: id, ...(node === undefined ? {} : { node }) }, message })
  }
}
