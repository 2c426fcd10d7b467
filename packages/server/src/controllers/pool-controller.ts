import { type Candidate, decidePool } from '@berth/core'
import type { Logger } from 'pino'
import { poolId, type Records, type StateChange } from '../records/index.ts'
import { PoolPlanWriter } from './apply-pool-plan.ts'
import { candidatesOf } from './candidates.ts'
import { KeyLoop } from './key-loop.ts'
import { poolSnapshot, type Surroundings } from './pool-view.ts'

export interface PoolControllerOptions extends Surroundings {
  readonly records: Records
  readonly log: Logger
  readonly now?: () => number
}

/** Makes every pool what it should be: asks `decidePool` at every change that concerns it, and commits the answer. */
export class PoolController implements AsyncDisposable {
  readonly #options: PoolControllerOptions
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void

  constructor(options: PoolControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({ name: 'pool', process: (key, signal) => this.#process(key, signal), log: options.log })
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
    for (const id of options.state.pools.ids()) this.#loop.mark(id)
  }

  mark(pools: Iterable<string>): void {
    for (const pool of pools) this.#loop.mark(pool)
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
      if (change.kind === 'instances' && change.after === undefined) this.#markWaiting()
    } else if (change.kind === 'statuses') {
      const instance = state.instances.get(change.id)
      if (instance !== undefined) this.#loop.mark(poolId(instance.app, instance.pool))
      if (change.after?.phase === 'ended') this.#markWaiting()
    } else if (change.kind === 'nodes' || change.kind === 'nodeStatuses') this.#markNode(change.id)
  }

  /** Pools with instances on a node that changed, and those that wait for room. */
  #markNode(node: string): void {
    for (const instance of this.#options.state.instances.byNode(node))
      this.#loop.mark(poolId(instance.app, instance.pool))
    this.#markWaiting()
  }

  #markWaiting(): void {
    for (const instance of this.#options.state.instances.unplaced())
      this.#loop.mark(poolId(instance.app, instance.pool))
  }

  async #process(id: string, signal: AbortSignal): Promise<number | undefined> {
    const { state, records } = this.#options
    const pool = state.pools.get(id)
    if (pool === undefined) return undefined
    const now = this.#now()
    const snapshot = poolSnapshot(this.#options, pool)
    const plan = decidePool(snapshot, now)
    const waiting = state.instances
      .byPool(pool.app, pool.name)
      .filter((each) => each.node === undefined && each.desired === 'run')
    if (plan.steps.length === 0 && waiting.length === 0) return plan.nextAt
    const tx = records.begin('system:pools')
    new PoolPlanWriter(
      tx,
      state,
      snapshot,
      once(() => candidatesOf(state, this.#options.isOnline)),
      now,
    ).write(plan.steps, waiting)
    const committed = await records.tryCommit(tx, { signal })
    if (!committed || plan.steps.length > 0) this.#loop.mark(id)
    return plan.nextAt
  }
}

/** The books are made at most once per decision, and only when something has to be placed. */
function once(make: () => Candidate[]): () => Candidate[] {
  let made: Candidate[] | undefined
  return () => {
    made ??= make()
    return made
  }
}
