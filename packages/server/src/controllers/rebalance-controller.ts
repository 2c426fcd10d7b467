import { type Instance, type Rebalance, type RebalanceMove, specDefaults } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, RecordTransaction, StateChange } from '../records/index.ts'
import { groupOf, proposeRebalance, type RebalanceContext } from '../schedule/propose-rebalance.ts'
import { specOfInstance } from '../schedule/spec-of-instance.ts'
import { hasEnded } from './has-ended.ts'
import { KeyLoop } from './key-loop.ts'

export interface RebalanceControllerOptions extends RebalanceContext {
  readonly records: Records
  readonly log: Logger
  readonly now?: () => number
}

/** A node that has joined changes so much; what is left after it is left for the next. */
const movesOnJoin = 1000

/**
 * Carries out rebalancings, a round of `disruption` moves at a time: pools replace what is to move, by their own bounds, and the
 * successor is placed on the node that was chosen. The next round is decided on the books as they are then, so it ends when no move
 * pays, and a move that comes to nothing is called off. What is under way is in the record.
 */
export class RebalanceController implements AsyncDisposable {
  readonly #options: RebalanceControllerOptions
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void

  constructor(options: RebalanceControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({
      name: 'rebalance',
      process: (group) => this.#process(group),
      log: options.log,
      now: this.#now,
    })
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
    for (const { name } of options.state.groups.each()) this.#loop.mark(name)
  }

  idle = (): Promise<void> => this.#loop.idle()

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange(change: StateChange): void {
    const { state } = this.#options
    if (change.kind === 'groups' || change.kind === 'rebalances') this.#loop.mark(change.id)
    else if (change.kind === 'nodes' || change.kind === 'nodeStatuses') this.#markIf(groupOf(state, change.id))
    else if (change.kind === 'instances' || change.kind === 'statuses')
      for (const { group, state: at } of state.rebalances.values()) if (at === 'running') this.#loop.mark(group)
  }

  #markIf(group: string | undefined): void {
    if (group !== undefined) this.#loop.mark(group)
  }

  async #process(group: string): Promise<number | undefined> {
    const { records } = this.#options
    const { value } = await records.commit('system:rebalance', (tx) => this.#decide(tx, group))
    return value
  }

  /** Returns when to look again. */
  #decide(tx: RecordTransaction, group: string): number | undefined {
    const before = this.#options.state.rebalances.get(group)
    if (before?.state === 'running') return this.#goOn(tx, before)
    const rule = this.#options.state.groups.find(group)?.rebalanceOnJoin
    if (rule === undefined) return undefined
    const newest = this.#newestNode(group)
    if (before === undefined) tx.put('rebalances', this.#asOf(group, newest?.joinedAt ?? 0), { ifUnchanged: true })
    else if (newest !== undefined && newest.joinedAt > before.joinsUntil) {
      const message = `${newest.name} joined`
      const begun = begin(before, { message, movesLeft: movesOnJoin, disruption: rule.disruption, now: this.#now() })
      tx.put(
        'rebalances',
        { ...begun, createdBy: 'system:rebalance', joinsUntil: newest.joinedAt },
        { ifUnchanged: true },
      )
      tx.event({ type: 'rebalance.started', subject: {}, message: `node group ${group} is rebalanced: ${message}` })
    }
    return undefined
  }

  /** When the rule is new: nodes that are there are not about to join. */
  #asOf(group: string, joinsUntil: number): Rebalance {
    const now = this.#now()
    return {
      ...{ group, state: 'ended', message: 'nothing has joined yet', movesLeft: 0, disruption: 1, done: 0, moves: [] },
      ...{ joinsUntil, startedAt: now, endedAt: now, createdBy: 'system:rebalance' },
    }
  }

  #newestNode(group: string) {
    const { state, isOnline } = this.#options
    return [...state.nodes.values()]
      .filter(({ name, schedulable }) => groupOf(state, name) === group && schedulable && isOnline(name))
      .reduce<{ name: string; joinedAt: number } | undefined>(
        (best, each) => (best === undefined || each.joinedAt > best.joinedAt ? each : best),
        undefined,
      )
  }

  #goOn(tx: RecordTransaction, rebalance: Rebalance): number | undefined {
    const failed = rebalance.moves.flatMap((move) => this.#problemOf(move) ?? [])[0]
    if (failed !== undefined) return this.#end(tx, rebalance, failed)
    const moves = rebalance.moves.filter((move) => !this.#isDone(move))
    const done = rebalance.done + rebalance.moves.length - moves.length
    if (moves.length > 0) {
      if (moves.length < rebalance.moves.length)
        tx.put('rebalances', { ...rebalance, moves, done }, { ifUnchanged: true })
      return Math.min(...moves.map((move) => this.#deadlineOf(move)))
    }
    const next = proposeRebalance(this.#options, rebalance.group, Math.min(rebalance.disruption, rebalance.movesLeft))
    if (next.length === 0) {
      const why = rebalance.movesLeft === 0 ? 'as many as were asked for' : 'no other move pays'
      return this.#end(tx, { ...rebalance, done }, `${why}; ${done} moved`)
    }
    const since = this.#now()
    const begun = next.map(({ instance, from, to }): RebalanceMove => ({ instance, from, to, since }))
    const movesLeft = rebalance.movesLeft - begun.length
    tx.put('rebalances', { ...rebalance, moves: begun, done, movesLeft }, { ifUnchanged: true })
    for (const { instance, from, to, before } of next) {
      const found = this.#options.state.instances.get(instance)
      const subject = found === undefined ? { instance } : { app: found.app, pool: found.pool, instance, node: from }
      const message = `${instance} moves from ${from}, which is ${Math.round(before * 100)} % full, to ${to}`
      tx.event({ type: 'instance.moves', subject, message })
    }
    return since + specDefaults.readyTimeoutMs
  }

  #end(tx: RecordTransaction, rebalance: Rebalance, message: string): undefined {
    const endedAt = this.#now()
    tx.put('rebalances', { ...rebalance, state: 'ended', moves: [], message, endedAt }, { ifUnchanged: true })
    tx.event({ type: 'rebalance.ended', subject: {}, message: `node group ${rebalance.group}: ${message}` })
  }

  /** Its old instance has left, however that came about. */
  #isDone({ instance }: RebalanceMove): boolean {
    const { state } = this.#options
    const old = state.instances.get(instance)
    return old === undefined || old.desired === 'stop' || hasEnded(state, old)
  }

  #problemOf(move: RebalanceMove): string | undefined {
    if (this.#isDone(move)) return undefined
    const next = this.#successorOf(move)
    if (next !== undefined && next.node === undefined)
      return `called off: ${next.id} finds no place on ${move.to}: ${next.unplaced ?? 'not tried'}`
    if (this.#now() < this.#deadlineOf(move)) return undefined
    return `called off: ${next?.id ?? `the successor of ${move.instance}`} did not serve on ${move.to} in time`
  }

  #successorOf({ instance }: RebalanceMove): Instance | undefined {
    const { state } = this.#options
    const old = state.instances.get(instance)
    if (old === undefined) return undefined
    return state.instances
      .byPool(old.app, old.pool)
      .find((each) => each.movedFrom === instance && each.desired === 'run')
  }

  /** The successor has to be ready, then the old one has to leave. */
  #deadlineOf({ instance, since }: RebalanceMove): number {
    const { state } = this.#options
    const old = state.instances.get(instance)
    const spec = old === undefined ? undefined : specOfInstance(state, old)
    return (old?.drainSince ?? since) + (spec?.readyTimeoutMs ?? 0) + (spec?.drainMs ?? 0) + graceMs
  }
}

const graceMs = 60_000

/** What is new about one that begins. */
export function begin(
  before: Rebalance | undefined,
  { message, movesLeft, disruption, now }: { message: string; movesLeft: number; disruption: number; now: number },
): Omit<Rebalance, 'group' | 'createdBy'> & Pick<Rebalance, 'group'> {
  const { endedAt: _, ...rest } = before ?? { group: '', joinsUntil: 0 }
  return { ...rest, state: 'running', message, movesLeft, disruption, done: 0, moves: [], startedAt: now }
}
