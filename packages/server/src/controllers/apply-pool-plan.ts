import {
  askedSizes,
  bandwidthChanges,
  type EventType,
  type Instance,
  type Pool,
  type PoolSnapshot,
  type Rollout,
} from '@berth/core'
import type { NewsOfCommit } from '../events/instance-news.ts'
import type { EventDraft, RecordTransaction, State } from '../records/index.ts'
import { poolId } from '../records/index.ts'
import { grantChange } from '../schedule/grant-change.ts'
import { givenAddress } from '../schedule/request-of.ts'
import { specOfInstance } from '../schedule/spec-of-instance.ts'
import { maxOperations } from '../store/store.ts'
import type { Ordinals } from './ordinals.ts'
import { isGang } from './place-gang.ts'
import type { InstancePlacer } from './place-instances.ts'
import { displacedPrefix, moveOf } from './pool-view.ts'
import type { Outcome, PoolWork } from './pool-work.ts'

/** Operations: of the pool's record and its rollout's, of a node's fence, and the most that a step takes without them. Compares are fewer. */
const recordCost = 3
const fenceCost = 1
const stepCost = 4
/** Of its node, and of the one whose address it borrows. */
const mostFences = 2

/** Of one of a gang that has just been made. */
const waitsForAll = 'all or none: the others are being created'

interface FenceUse {
  /** The address that was given out last. */
  readonly lastAddress: string | undefined
  /** At which the books were those of the decision. */
  readonly revision: number
}

type Work<T extends PoolWork['type']> = PoolWork & { readonly type: T }
type Executors = { readonly [T in PoolWork['type']]: (step: Work<T>) => void }

export interface PoolPlanContext {
  readonly state: State
  readonly snapshot: PoolSnapshot
  readonly placer: InstancePlacer
  readonly ordinals: Ordinals
  readonly now: number
}

/**
 * Writes a plan's steps into a transaction that fails when the pool, its rollout or the books of a node used have changed since the
 * snapshot. What does not fit is left for the next one.
 */
export class PoolPlanWriter {
  readonly #tx: RecordTransaction
  readonly #told: NewsOfCommit
  readonly #state: State
  readonly #snapshot: PoolSnapshot
  readonly #placer: InstancePlacer
  readonly #ordinals: Ordinals
  readonly #now: number
  readonly #fenced = new Map<string, FenceUse>()
  readonly #before: Outcome
  /** Of each entrypoint those that are to move and have no successor yet. */
  #movers: Map<string, string[]> | undefined
  #displacers: Map<string, string> | undefined
  #pool: Pool
  #rollout: Rollout | undefined
  #removed = false

  /** `before`: as the part of the plan that is committed has left it. */
  constructor(
    { tx, told }: { readonly tx: RecordTransaction; readonly told: NewsOfCommit },
    { state, snapshot, placer, ordinals, now }: PoolPlanContext,
    before: Outcome,
  ) {
    this.#tx = tx
    this.#told = told
    this.#state = state
    this.#snapshot = snapshot
    this.#placer = placer
    this.#ordinals = ordinals
    this.#now = now
    this.#before = before
    const { pool } = before
    this.#pool = pool.nextOrdinal === ordinals.next ? pool : { ...pool, nextOrdinal: ordinals.next }
    this.#rollout = before.rollout
  }

  get outcome(): Outcome {
    return { pool: this.#pool, rollout: this.#rollout }
  }

  /** Returns how many of them, from the first on, are written. */
  write(work: readonly PoolWork[]): number {
    let written = 0
    for (; written < work.length && this.#fits(); written++) {
      const next = work[written] as PoolWork
      // Whoever displaces others takes up room for all of them. (Its size is never 0 where it compares that the server may still decide.)
      if (next.type === 'place' && !this.#tx.isEmpty && this.#placer.mayDisplace(next.instance)) break
      this.#do(next)
    }
    if (!this.#tx.isEmpty && !this.#removed) this.#compareRecords()
    return written
  }

  /** Nodes whose fences it compares and writes. */
  get nodes(): ReadonlySet<string> {
    return new Set(this.#fenced.keys())
  }

  /** It writes nothing that others of the plan compare: neither the pool nor its rollout. */
  get isIndependent(): boolean {
    return !this.#removed && this.#pool === this.#before.pool && this.#rollout === this.#before.rollout
  }

  /**
   * Writes the nodes' fences, which has to be done before the commit. `own`: the revisions at which other commits of this plan have
   * written them; what anybody else has done to a node since the decision refuses the commit.
   */
  seal(own: ReadonlyMap<string, number>): void {
    if (this.#tx.isEmpty || this.#removed) return
    for (const [node, { lastAddress, revision }] of this.#fenced) {
      const last = lastAddress === undefined ? {} : { lastAddress }
      const fence = { node, ...last, updatedAt: this.#now }
      this.#tx.put('fences', fence, { ifUnchanged: Math.max(revision, own.get(node) ?? 0) })
    }
  }

  #do(work: PoolWork): void {
    ;(this.#executors[work.type] as (step: PoolWork) => void)(work)
  }

  #fits(): boolean {
    const used = this.#tx.size + this.#fenced.size * fenceCost
    return used + stepCost + mostFences * fenceCost + recordCost <= maxOperations
  }

  #compareRecords(): void {
    const { rollout } = this.#snapshot
    if (rollout !== undefined) this.#tx.require('rollouts', rollout.id)
    if (this.#pool === this.#before.pool) this.#tx.require('pools', poolId(this.#pool.app, this.#pool.name))
    else this.#tx.put('pools', this.#pool, { ifUnchanged: true })
  }

  /** As of the decision: the revision is that of the first use in this commit. */
  #use(node: string, address?: string): void {
    const known = this.#fenced.get(node)
    const { fences } = this.#state
    const lastAddress = address ?? known?.lastAddress ?? fences.get(node)?.lastAddress
    this.#fenced.set(node, { lastAddress, revision: known?.revision ?? fences.modRevision(node) })
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
    'release-address': ({ address }) => this.#release(address),
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
    place: (step) => this.#placeAgain(step.instance),
    begin: (step) => this.#begin(step.instance),
  }

  #create(step: Work<'create'>): void {
    const { app, name: pool } = this.#pool
    const ordinal = this.#ordinals.take(step.entrypoint)
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
      ...(step.slot === undefined ? {} : { slot: step.slot }),
      ...this.#displacedBy(step.entrypoint),
      ...this.#movedFrom(step.entrypoint),
      desired: 'run',
      restartNonce: 0,
      createdAt: this.#now,
      createdBy: this.#snapshot.rollout?.createdBy ?? 'system:pools',
    }
    const placed = isGang(this.#snapshot, instance) ? { ...instance, unplaced: waitsForAll } : this.#place(instance)
    // No compare: the ordinal comes from the pool's record, which this transaction compares.
    this.#tx.put('instances', placed)
    const where = placed.node === undefined ? `waits: ${placed.unplaced}` : `on ${placed.node} at ${placed.address}`
    const event = instanceEvent('instance.created', placed, `${placed.id} ${where}`)
    if (placed.node === undefined) this.#tx.event(event)
    else this.#told.tell(event)
  }

  /** Without room after all (another of this plan has taken it) the next look decides anew. */
  #resize({ instance: id, sizes }: Work<'resize'>): void {
    const instance = this.#state.instances.get(id)
    const resized = instance === undefined ? undefined : this.#placer.resize(instance, sizes)
    if (instance === undefined || resized?.node === undefined) return
    this.#use(resized.node)
    this.#tx.put('instances', resized, { ifUnchanged: true })
    this.#tx.event(
      instanceEvent(
        'instance.resized',
        resized,
        `${id} on ${resized.node}: ${grantChange(instance, resized, this.#bandwidthChanges(instance, resized))}`,
      ),
    )
  }

  #bandwidthChanges(before: Instance, after: Instance): string[] {
    const spec = specOfInstance(this.#state, before)
    return spec === undefined ? [] : bandwidthChanges(askedSizes(before, spec), askedSizes(after, spec))
  }

  /** The first that is to move and has no successor. */
  #movedFrom(entrypoint: string): Pick<Instance, 'movedFrom'> {
    this.#movers ??= this.#findMovers()
    const next = this.#movers.get(entrypoint)?.shift()
    return next === undefined ? {} : { movedFrom: next }
  }

  #findMovers(): Map<string, string[]> {
    if (this.#state.rebalances.size === 0) return new Map()
    const instances = this.#snapshot.instances.map(({ instance }) => instance)
    const taken = new Set(instances.map(({ movedFrom }) => movedFrom))
    const movers = instances.filter(({ id }) => !taken.has(id) && moveOf(this.#state, id) !== undefined)
    const byEntrypoint = Map.groupBy(movers, ({ entrypoint }) => entrypoint)
    return new Map([...byEntrypoint].map(([entrypoint, each]) => [entrypoint, each.map(({ id }) => id)]))
  }

  #displacedBy(entrypoint: string): Pick<Instance, 'displacedBy'> {
    this.#displacers ??= this.#findDisplacers()
    const displacedBy = this.#displacers.get(entrypoint)
    return displacedBy === undefined ? {} : { displacedBy }
  }

  /** For whom the first of each entrypoint that is displaced leaves. */
  #findDisplacers(): Map<string, string> {
    const found = new Map<string, string>()
    for (const { instance, moves } of this.#snapshot.instances)
      if (moves?.startsWith(displacedPrefix) === true && !found.has(instance.entrypoint))
        found.set(instance.entrypoint, moves.slice(displacedPrefix.length))
    return found
  }

  #placeAgain(instance: Instance): void {
    const placed = this.#place(instance, { displacing: true })
    if (placed.node === undefined && placed.unplaced === instance.unplaced) return
    this.#tx.put('instances', placed, { ifUnchanged: true })
    if (placed.node === undefined) return
    const { waitsFor = [] } = placed
    for (const victim of waitsFor) this.#displace(victim, placed)
    const after =
      waitsFor.length === 0 ? '' : `, once ${waitsFor.join(', ')} ${waitsFor.length > 1 ? 'have' : 'has'} left`
    this.#told.tell(
      instanceEvent('instance.placed', placed, `${placed.id} on ${placed.node} at ${placed.address}${after}`),
    )
  }

  /** It leaves because the record of the one that waits says so; nothing is written to its own. */
  #displace(victim: string, { id, priority = 0 }: Instance): void {
    const instance = this.#state.instances.get(victim)
    if (instance === undefined) return
    this.#tx.require('instances', victim)
    const why = `${victim} (priority ${instance.priority ?? 0}) makes room for ${id} (priority ${priority})`
    this.#tx.event(instanceEvent('instance.displaced', instance, `${why} on ${instance.node}`))
  }

  #begin(instance: Instance): void {
    const { waitsFor, ...rest } = instance
    this.#tx.put('instances', rest, { ifUnchanged: true })
    this.#tx.event(
      instanceEvent('instance.begins', rest, `${rest.id} begins on ${rest.node}: ${waitsFor?.join(', ')} left it`),
    )
  }

  #place(instance: Instance, how: { readonly displacing?: boolean } = {}): Instance {
    const placed = this.#placer.place(instance, how)
    if (placed.node === undefined) return placed
    const { node, borrowedFrom, address } = placed
    const given = this.#newAddress(placed)
    this.#use(node, borrowedFrom === undefined ? given : undefined)
    if (borrowedFrom !== undefined) {
      // Whoever lends gives it to nobody else, and has the block still.
      this.#use(borrowedFrom, address)
      this.#tx.require('nodes', borrowedFrom)
    }
    return placed
  }

  /** What it gives of the node's block: an address that is kept is given once. */
  #newAddress(placed: Instance): string | undefined {
    const { app, pool, entrypoint, slot, address } = placed
    if (slot === undefined || address === undefined) return givenAddress(placed)
    if (this.#state.keptAddresses.find({ app, pool, entrypoint, slot }) !== undefined) return undefined
    this.#tx.create('keptAddresses', { address, app, pool, entrypoint, slot, since: this.#now })
    return address
  }

  #release(address: string): void {
    const kept = this.#state.keptAddresses.get(address)
    if (kept === undefined) return
    this.#tx.delete('keptAddresses', address, { ifUnchanged: true })
    const { app, pool, entrypoint, slot } = kept
    this.#tx.event({
      type: 'address.released',
      subject: { app, pool },
      message: `${address} is not kept any more for ${app}/${pool}/${entrypoint}, number ${slot}`,
    })
  }

  #desire(id: string, change: Pick<Instance, 'desired' | 'stopReason'> & Partial<Pick<Instance, 'drainSince'>>): void {
    const instance = this.#state.instances.get(id)
    if (instance === undefined) return
    this.#tx.put('instances', { ...instance, ...change }, { ifUnchanged: true })
    const verb = change.desired === 'drain' ? 'leaves traffic' : 'is stopped'
    this.#tx.event(instanceEvent(`instance.${change.desired}`, instance, `${id} ${verb}: ${change.stopReason ?? ''}`))
  }

  #updateRollout(rollout: Rollout): void {
    const before = this.#rollout
    this.#rollout = rollout
    this.#tx.put('rollouts', rollout, { ifUnchanged: true })
    if (before?.state === rollout.state) return
    const { app, pool, id } = rollout
    this.#tx.event({
      type: `rollout.${rollout.state}`,
      subject: { app, pool, rollout: id, release: rollout.to },
      message: `${app}/${pool}: ${rollout.message}`,
    })
  }
}

function instanceEvent(type: EventType, { app, pool, id, node }: Instance, message: string): EventDraft {
  return { type, subject: { app, pool, instance: id, ...(node === undefined ? {} : { node }) }, message }
}
