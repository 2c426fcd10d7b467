import {
  BerthError,
  decidePool,
  defaultPatience,
  type Instance,
  type Patience,
  type PoolPlan,
  type PoolSnapshot,
  ServiceTimes,
} from '@berth/core'
import type { Logger } from 'pino'
import { poolId, type Records, type StateChange } from '../records/index.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import { PoolPlanWriter } from './apply-pool-plan.ts'
import { KeyLoop } from './key-loop.ts'
import { poolSnapshot, runsOnEveryNode, type Surroundings } from './pool-view.ts'

export interface PoolControllerOptions extends Surroundings {
  readonly records: Records
  readonly log: Logger
  readonly now?: () => number
  readonly patience?: Patience
  readonly books: LiveBooks
}

/** More lost commits in a row than this are no coincidence. */
const maxConflicts = 8

interface Decision {
  readonly snapshot: PoolSnapshot
  readonly plan: PoolPlan
  /** Instances that wait for a node. */
  readonly waiting: readonly Instance[]
  readonly now: number
}

/** Makes every pool what it should be: asks `decidePool` at every change that concerns it, and commits the answer. */
export class PoolController implements AsyncDisposable {
  readonly #options: PoolControllerOptions
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #times: ServiceTimes
  readonly #unsubscribe: () => void
  readonly #conflicts = new Map<string, number>()
  /** Pools with instances that are to have more than their nodes have left. */
  readonly #tight = new Set<string>()
  /** Decisions that place go one after the other: beside each other all but one would lose to it at the nodes' fences. */
  #placing: Promise<unknown> = Promise.resolve()

  constructor(options: PoolControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#times = new ServiceTimes(this.#now())
    this.#loop = new KeyLoop({
      name: 'pool',
      process: (key, signal) => this.#process(key, signal),
      log: options.log,
      now: this.#now,
    })
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
    for (const id of options.state.pools.ids()) this.#loop.mark(id)
  }

  mark(pools: Iterable<string>): void {
    for (const pool of pools) this.#loop.mark(pool)
  }

  /** Pools with instances on a node that changed, and those that wait for room. */
  markNode(node: string): void {
    for (const instance of this.#options.state.instances.byNode(node))
      this.#loop.mark(poolId(instance.app, instance.pool))
    this.#markWaiting()
  }

  idle = (): Promise<void> => this.#loop.idle()

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange(change: StateChange): void {
    const { state } = this.#options
    if (change.kind === 'pools') this.#loop.mark(change.id)
    else if (change.kind === 'rollouts' || change.kind === 'instances') {
      const record = change.after ?? change.before
      if (record !== undefined) this.#loop.mark(poolId(record.app, record.pool))
      if (change.kind === 'instances') this.#markDrained((change.after ?? change.before)?.node)
      if (change.kind === 'instances' && change.after === undefined) this.#gone(change.id)
    } else if (change.kind === 'statuses') {
      const instance = state.instances.get(change.id)
      if (instance !== undefined) this.#loop.mark(poolId(instance.app, instance.pool))
      if (change.after?.phase === 'ended') this.#markWaiting()
    } else if (change.kind === 'nodes' || change.kind === 'nodeStatuses') {
      this.markNode(change.id)
      this.#markSystem()
    }
  }

  /** Pools with something that runs on every node that matches: it may be one node more or less. */
  #markSystem(): void {
    const { state } = this.#options
    for (const pool of state.pools.values())
      if (runsOnEveryNode(state, pool)) this.#loop.mark(poolId(pool.app, pool.name))
  }

  #gone(instance: string): void {
    this.#times.forget(instance)
    this.#markWaiting()
  }

  /** Somebody left: on a drained node it is the next one's turn. */
  #markDrained(node: string | undefined): void {
    if (node !== undefined && this.#options.state.nodes.get(node)?.drain !== undefined) this.markNode(node)
  }

  #markWaiting(): void {
    for (const instance of this.#options.state.instances.unplaced())
      this.#loop.mark(poolId(instance.app, instance.pool))
    this.mark(this.#tight)
  }

  async #process(id: string, signal: AbortSignal): Promise<number | undefined> {
    const decision = this.#decide(id)
    if (decision === undefined) return undefined
    const { plan, waiting } = decision
    if (waiting.length === 0 && !plan.steps.some((step) => step.type === 'create' || step.type === 'resize'))
      return this.#commit(id, decision, signal)
    return this.#inTurn(async () => {
      const again = this.#decide(id)
      return again === undefined ? undefined : this.#commit(id, again, signal)
    })
  }

  #decide(id: string): Decision | undefined {
    const { state } = this.#options
    const pool = state.pools.get(id)
    if (pool === undefined) {
      this.#tight.delete(id)
      return undefined
    }
    const now = this.#now()
    const snapshot = poolSnapshot(this.#options, pool, this.#times, now)
    if (snapshot.instances.some((each) => each.resize?.refused !== undefined)) this.#tight.add(id)
    else this.#tight.delete(id)
    const plan = decidePool(snapshot, now, this.#options.patience ?? defaultPatience)
    const waiting = state.instances
      .byPool(pool.app, pool.name)
      .filter((each) => each.node === undefined && each.desired === 'run')
    return { snapshot, plan, waiting, now }
  }

  async #commit(id: string, { snapshot, plan, waiting, now }: Decision, signal: AbortSignal) {
    const { state, records, books } = this.#options
    if (plan.steps.length === 0 && waiting.length === 0) return plan.nextAt
    const tx = records.begin('system:pools')
    const writer = new PoolPlanWriter(tx, state, snapshot, books, now)
    writer.write(plan.steps, waiting)
    let committed = false
    try {
      committed = await records.tryCommit(tx, { signal })
    } finally {
      if (!committed) books.restore(writer.entered)
    }
    this.#countConflicts(id, committed)
    if (!committed || plan.steps.length > 0) this.#loop.mark(id)
    return plan.nextAt
  }

  /** Losing once in a while is how it should be; losing again and again must not become a busy loop. */
  #countConflicts(id: string, committed: boolean): void {
    const lost = committed ? 0 : (this.#conflicts.get(id) ?? 0) + 1
    if (lost === 0) this.#conflicts.delete(id)
    else this.#conflicts.set(id, lost)
    if (lost < maxConflicts) return
    throw new BerthError('record.conflict', `decide about pool ${id}: lost against others ${lost} times in a row`, {
      retryable: true,
    })
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#placing.then(act)
    this.#placing = result.catch(() => undefined)
    return result
  }
}
