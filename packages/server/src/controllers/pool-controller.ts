import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  BerthError,
  decidePool,
  defaultPatience,
  type Instance,
  type ObservedInstance,
  type Patience,
  ServiceTimes,
} from '@berth/core'
import type { Logger } from 'pino'
import type { InstanceNews, NewsOfCommit } from '../events/instance-news.ts'
import { poolId, type Records, type RecordTransaction, type StateChange } from '../records/index.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import type { TransactionResult } from '../store/store.ts'
import { type PoolPlanContext, PoolPlanWriter } from './apply-pool-plan.ts'
import { CommitsUnderWay, type PlannedCommit } from './commits-under-way.ts'
import { KeyLoop } from './key-loop.ts'
import { Ordinals } from './ordinals.ts'
import { Pace } from './pace.ts'
import { gangsOf, isGang, placeGang } from './place-gang.ts'
import { InstancePlacer } from './place-instances.ts'
import { PlacingTurns } from './placing-turns.ts'
import {
  type Decision,
  gangPriority,
  hasLeft,
  isAsLeft,
  isLasting,
  nextLevel,
  type Placeable,
  priorityOf,
} from './pool-decision.ts'
import { poolSnapshot, runsOnEveryNode, type Surroundings } from './pool-view.ts'
import type { Outcome, PoolWork } from './pool-work.ts'

export interface PoolControllerOptions extends Surroundings {
  readonly records: Records
  readonly log: Logger
  readonly now?: () => number
  readonly patience?: Patience
  readonly books: LiveBooks
  readonly news: InstanceNews
}

/** Decisions on large pools take milliseconds, and under load there is always one to be made: others must get their turn too. */
const decisionShare = 0.1
/** More lost commits in a row than this are no coincidence. */
const maxConflicts = 8
/** Commits of one plan under way at a time. */
const maxUnderWay = 8
/** So often in a row others are let in before: where things happen all the time, everybody's turn comes all the same. */
const maxGivenWay = 3

/** Makes every pool what it should be: asks `decidePool` at every change that concerns it, and commits the answer. */
export class PoolController implements AsyncDisposable {
  readonly #options: PoolControllerOptions
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #times: ServiceTimes
  readonly #pace = new Pace(decisionShare)
  readonly #unsubscribe: () => void
  readonly #conflicts = new Map<string, number>()
  /** Pools with instances that are to have more than their nodes have left, or that find no place elsewhere although they should leave. */
  readonly #tight = new Set<string>()
  readonly #turns = new PlacingTurns()
  /** Pools with something that runs on every node that matches. */
  readonly #system = new Set<string>()

  constructor(options: PoolControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#times = new ServiceTimes(this.#now())
    this.#loop = new KeyLoop({
      name: 'pool',
      process: (key, signal) => this.#process(key, signal),
      log: options.log,
      now: this.#now,
      pace: this.#pace,
    })
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
    for (const id of options.state.pools.ids()) {
      this.#noteSystem(id)
      this.#loop.mark(id)
    }
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

  /** It has come or gone, or is another now. */
  nodeChanged(node: string): void {
    this.markNode(node)
    this.#markSystem()
  }

  idle = (): Promise<void> => this.#loop.idle()

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    this.#pace[Symbol.dispose]()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange(change: StateChange): void {
    this.#noteSystems(change)
    if (change.kind === 'pools') this.#loop.mark(change.id)
    else if (change.kind === 'statuses') {
      this.#markPoolOf(change.id)
      if (change.after?.phase === 'ended') {
        this.#markDisplacing(change.id, [])
        this.#markWaiting()
      }
    } else if (change.kind === 'rollouts' || change.kind === 'instances') {
      const record = change.after ?? change.before
      if (record !== undefined) this.#loop.mark(poolId(record.app, record.pool))
      if (change.kind === 'instances') {
        this.#markDrained((change.after ?? change.before)?.node)
        this.#markDisplacing(change.id, [change.before, change.after])
        if (change.after === undefined) {
          this.#gone(change.id)
          // Its address is free.
          this.#markWaiting()
        }
      } else if (change.after?.endedAt !== undefined) this.#markWaiting()
    } else if (change.kind === 'keptAddresses') {
      const record = change.after ?? change.before
      if (record !== undefined) this.#loop.mark(poolId(record.app, record.pool))
    } else if (change.kind === 'rebalances') {
      for (const { instance } of [...(change.before?.moves ?? []), ...(change.after?.moves ?? [])])
        this.#markPoolOf(instance)
    } else if (change.kind === 'nodes' || change.kind === 'nodeStatuses') {
      this.nodeChanged(change.id)
    }
  }

  /** It may be one node more or less. */
  #markSystem(): void {
    this.mark(this.#system)
  }

  /** What it runs is said by its record, its rollout's and their releases. */
  #noteSystems({ kind, id, before, after }: StateChange): void {
    if (kind === 'pools') this.#noteSystem(id)
    else if (kind === 'rollouts') {
      const rollout = after ?? before
      if (rollout !== undefined) this.#noteSystem(poolId(rollout.app, rollout.pool))
    } else if (kind === 'releases') {
      const app = (after ?? before)?.app ?? ''
      for (const pool of this.#options.state.pools.byApp(app)) this.#noteSystem(poolId(pool.app, pool.name))
    }
  }

  #noteSystem(id: string): void {
    const { state } = this.#options
    const pool = state.pools.get(id)
    if (pool !== undefined && runsOnEveryNode(state, pool)) this.#system.add(id)
    else this.#system.delete(id)
  }

  #gone(instance: string): void {
    this.#times.forget(instance)
    this.#markWaiting()
  }

  /** Somebody left: on a drained node it is the next one's turn. */
  #markDrained(node: string | undefined): void {
    if (node !== undefined && this.#options.state.nodes.get(node)?.drain !== undefined) this.markNode(node)
  }

  /** It keeps its address, and leaves a drained node only once another has room for it. */
  #isHeldBack({ instance, moves }: ObservedInstance): boolean {
    const { slot, desired, node = '' } = instance
    if (slot === undefined || desired !== 'run' || moves !== undefined) return false
    return this.#options.state.nodes.get(node)?.drain !== undefined
  }

  #markWaiting(): void {
    this.mark(this.#options.state.instances.waitingPools())
    this.mark(this.#tight)
  }

  /** Whose end somebody waits for, and who learns that they have to leave. */
  #markDisplacing(instance: string, lists: readonly (Instance | undefined)[]): void {
    const { books } = this.#options
    for (const each of books.displacements.waitingFor(instance)) this.#loop.mark(poolId(each.app, each.pool))
    for (const list of lists) for (const victim of list?.waitsFor ?? []) this.#markPoolOf(victim)
  }

  /** If there is such an instance. */
  #markPoolOf(instance: string): void {
    const { instances } = this.#options.state
    const [app, pool] = [instances.field(instance, 'app'), instances.field(instance, 'pool')]
    if (app !== undefined && pool !== undefined) this.#loop.mark(poolId(app, pool))
  }

  async #process(id: string, signal: AbortSignal): Promise<number | undefined> {
    let decision = this.#decide(id)
    let level = nextLevel(decision)
    if (decision !== undefined && level === undefined) await this.#carryOut(id, decision, signal)
    for (; level !== undefined; level = nextLevel(decision, level)) {
      const priority = level
      await this.#inTurn(priority, async () => {
        if (decision?.revision !== this.#options.state.revision) decision = this.#decide(id)
        if (decision !== undefined) await this.#carryOut(id, decision, signal, priority)
      })
    }
    return decision?.plan.nextAt
  }

  /** Whom something has woken that happened while this one stood in line gets in line as well, before it is its turn. */
  async #inTurn(priority: number, act: () => Promise<void>): Promise<void> {
    const { state } = this.#options
    for (let left = maxGivenWay; ; left--) {
      const { revision } = state
      const done = await this.#turns.take(priority, async () => {
        if (left > 0 && state.revision !== revision) return false
        await act()
        return true
      })
      if (done) return
    }
  }

  #decide(id: string): Decision | undefined {
    const { state } = this.#options
    const pool = state.pools.get(id)
    if (pool === undefined) {
      this.#tight.delete(id)
      return undefined
    }
    const now = this.#now()
    const { revision } = state
    const startedMs = processorMs()
    const snapshot = poolSnapshot(this.#options, pool, this.#times, now)
    if (snapshot.instances.some((each) => each.resize?.refused !== undefined || this.#isHeldBack(each)))
      this.#tight.add(id)
    else this.#tight.delete(id)
    const plan = decidePool(snapshot, now, this.#options.patience ?? defaultPatience)
    const touched = new Set(plan.steps.flatMap((step) => ('instance' in step ? [step.instance] : [])))
    const up = snapshot.instances.flatMap(({ instance }) =>
      instance.desired === 'run' && !touched.has(instance.id) ? [instance] : [],
    )
    const creating = new Set(plan.steps.flatMap((step) => (step.type === 'create' ? [step.entrypoint] : [])))
    const gangs = gangsOf(snapshot, up, creating)
    const waiting = up.filter((each) => each.node === undefined && !isGang(snapshot, each))
    const ready = up.filter((each) => each.waitsFor?.every((victim) => hasLeft(state, victim)) === true)
    this.#pace.spent(processorMs() - startedMs)
    return { revision, snapshot, plan, waiting, ready, gangs, now }
  }

  /** All that places nothing, and of the rest what is at least as important. */
  async #carryOut(id: string, decision: Decision, signal: AbortSignal, level = Number.POSITIVE_INFINITY) {
    const { state, books } = this.#options
    const { snapshot } = decision
    const isDue = (each: Placeable): boolean => priorityOf(snapshot, each) >= level
    let work: readonly PoolWork[] = [
      ...decision.plan.steps.filter((step) => step.type !== 'create' || isDue(step)),
      ...decision.ready.map((instance): PoolWork => ({ type: 'begin', instance })),
      ...decision.waiting.filter(isDue).map((instance): PoolWork => ({ type: 'place', instance })),
    ]
    const ordinals = new Ordinals(snapshot.pool.nextOrdinal, work)
    const context = { ...decision, state, ordinals, placer: new InstancePlacer(state, snapshot, books) }
    let left: Outcome = { pool: snapshot.pool, rollout: snapshot.rollout }
    const commits = new CommitsUnderWay(maxUnderWay)
    const mayGoOn = (): boolean =>
      work.every((each) => isLasting(each, left)) && isAsLeft(state, id, left) && !this.#turns.isWanted(level)
    try {
      while (work.length > 0) {
        const { planned, written, outcome, alone } = this.#draft(context, work, left, signal)
        work = work.slice(written)
        left = outcome
        await commits.begin(planned, { alone })
        // What others have to do meanwhile comes first.
        if (work.length > 0) await nextTurn()
        if (commits.isLost || (work.length > 0 && !mayGoOn())) break
      }
    } finally {
      await commits.settled()
    }
    if (commits.hasBegun) this.#countConflicts(id, !commits.isLost)
    if (work.length > 0 || commits.isLost) this.#loop.mark(id)
    else await this.#placeGangs(id, decision, left, level, signal)
  }

  /** The next part of a plan, as far as one commit holds it. */
  #draft(context: PoolPlanContext, work: readonly PoolWork[], left: Outcome, signal: AbortSignal) {
    const tx = this.#options.records.begin('system:pools')
    const told = this.#options.news.begin(tx)
    const writer = new PoolPlanWriter({ tx, told }, context, left)
    const written = writer.write(work)
    const entered = context.placer.takeEntered()
    const planned: PlannedCommit = {
      nodes: writer.nodes,
      commit: (own) => {
        writer.seal(own)
        return this.#commit({ tx, told }, entered, signal)
      },
      drop: () => this.#options.books.restore(entered),
    }
    return { planned, written, outcome: writer.outcome, alone: !writer.isIndependent }
  }

  async #placeGangs(id: string, decision: Decision, { pool, rollout }: Outcome, level: number, signal: AbortSignal) {
    const { state, records, books } = this.#options
    const { now } = decision
    const snapshot = { ...decision.snapshot, pool, ...(rollout === undefined ? {} : { rollout }) }
    for (const gang of decision.gangs) {
      if (gangPriority(snapshot, gang) !== level) continue
      const placer = new InstancePlacer(state, snapshot, books)
      await placeGang(
        {
          ...{ snapshot, state, records, placer, now },
          commit: async (tx) => {
            const { ok } = await this.#commit({ tx }, placer.takeEntered(), signal)
            this.#countConflicts(id, ok)
            if (!ok) this.#loop.mark(id)
            return ok
          },
          restore: (ids) => books.restore(ids),
        },
        gang,
      )
    }
  }

  async #commit({ tx, told }: Draft, entered: readonly string[], signal: AbortSignal): Promise<TransactionResult> {
    let result: TransactionResult | undefined
    try {
      result = await this.#options.records.attempt(tx, { signal })
    } finally {
      if (result?.ok === true) told?.committed()
      else this.#options.books.restore(entered)
    }
    return result
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
}

/** That this thread has had. */
function processorMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

interface Draft {
  readonly tx: RecordTransaction
  /** Absent: it tells no everyday news. */
  readonly told?: NewsOfCommit
}
