import {
  BerthError,
  type ConfigRollout,
  decideConfigRollout,
  messageOf,
  type NodeConfigRecord,
  type NodeConfigReport,
  type RolloutStep,
} from '@berth/core'
import type { Logger } from 'pino'
import { KeyLoop } from '../controllers/key-loop.ts'
import type { Records, RecordTransaction, State, StateChange } from '../records/index.ts'
import { newId } from '../records/new-id.ts'
import { concernedNodes, newestRollout, nodeConfigAt, rolloutNode } from './config-nodes.ts'
import type { ConfigAgents } from './node-configs.ts'

export interface NodeConfigControllerOptions {
  readonly records: Records
  readonly state: State
  readonly agents: Pick<ConfigAgents, 'orderConfig'> & { isConnected(node: string): boolean }
  readonly isOnline: (node: string) => boolean
  readonly log: Logger
  readonly now?: () => number
  /** Packages take their time. */
  readonly workMs?: number
  /** How long a node may be away before it counts as failed, beyond its gate's time. */
  readonly awayMs?: number
}

const actor = 'system:node-config'
/** The key of the rollout itself; nodes have their names. */
const rolloutKey = ''
const defaultWorkMs = 1_800_000
const defaultAwayMs = 60_000
const orderMs = 60_000
const ordersPerCommit = 25

/**
 * Brings versions of the node configuration to nodes. What is to happen is written down first: an order is sent until its node has
 * answered it, whichever server leads.
 */
export class NodeConfigController implements AsyncDisposable {
  readonly #options: NodeConfigControllerOptions
  readonly #state: State
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void

  constructor(options: NodeConfigControllerOptions) {
    this.#options = options
    this.#state = options.state
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({
      name: 'node configuration',
      process: (key, signal) => (key === rolloutKey ? this.#goOn() : this.#attend(key, signal)),
      ...{ log: options.log, now: this.#now },
    })
    this.#unsubscribe = this.#state.changes.subscribe((change) => this.#onChange(change))
    this.#loop.mark(rolloutKey)
    for (const node of this.#state.nodeConfigs.ids()) this.#loop.mark(node)
  }

  /** A node's link has come or gone. */
  nodeChanged(node: string): void {
    if (this.#state.nodeConfigs.has(node)) this.#loop.mark(node)
    if (newestRollout(this.#state) !== undefined) this.#loop.mark(rolloutKey)
  }

  idle = (): Promise<void> => this.#loop.idle()

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange({ kind, id }: StateChange): void {
    if (kind === 'configRollouts' || kind === 'nodes') this.#loop.mark(rolloutKey)
    if (kind === 'nodeConfigs' || kind === 'nodeStatuses') this.nodeChanged(id)
  }

  async #goOn(): Promise<number | undefined> {
    const rollout = newestRollout(this.#state)
    if (rollout === undefined) return undefined
    const step = this.#decide(rollout)
    if (step.state !== undefined) await this.#end(rollout, step.state, step.why)
    await this.#order(rollout, step.begin, (node) => this.#begun(rollout, node))
    await this.#order(rollout, step.takeBack, (node) => this.#takenBack(node))
    return step.lookAt
  }

  #decide({ version, state }: ConfigRollout): RolloutStep {
    const found = this.#state.configVersions.find(version)
    if (found === undefined) return { begin: [], takeBack: [] }
    const { rollout: rule, enforce } = found.spec
    const nodes = concernedNodes(this.#state, found.spec).map((node) =>
      rolloutNode(this.#state, node, version, this.#options.isOnline(node.name)),
    )
    return decideConfigRollout({ state, rule, enforce, nodes }, this.#now())
  }

  async #end(rollout: ConfigRollout, state: ConfigRollout['state'], why: string | undefined): Promise<void> {
    await this.#options.records.commit(actor, (tx) => {
      const isOver = state !== 'undoing'
      const message = why ?? rollout.message
      const after = {
        ...rollout,
        state,
        message: endings[state] ?? message,
        ...(isOver ? { endedAt: this.#now() } : {}),
      }
      const told =
        why === undefined ? after : { ...after, message: `${endings[state] ?? ''}: ${this.#reasons(rollout)}` }
      tx.put('configRollouts', told, { ifUnchanged: true })
      tx.event({
        type: `configuration.${state}`,
        subject: {},
        message: `version ${rollout.version} of the node configuration: ${told.message}`,
      })
    })
  }

  /** `h2: the check … ended with 1` */
  #reasons({ version }: ConfigRollout): string {
    const failed = this.#state.nodeConfigs
      .all()
      .filter((each) => each.rollout === version && (each.state === 'undone' || each.state === 'failed'))
    return failed.map(({ node, why = 'no reason was told' }) => `${node}: ${why}`).join('; ')
  }

  async #order(
    rollout: ConfigRollout,
    nodes: readonly string[],
    recordFor: (node: string) => NodeConfigRecord | undefined,
  ) {
    for (let from = 0; from < nodes.length; from += ordersPerCommit) {
      const some = nodes.slice(from, from + ordersPerCommit)
      await this.#options.records.commit(actor, (tx) => {
        tx.require('configRollouts', String(rollout.version))
        for (const node of some) {
          const record = recordFor(node)
          if (record !== undefined) this.#put(tx, record)
        }
      })
    }
  }

  #put(tx: RecordTransaction, record: NodeConfigRecord): void {
    tx.put('nodeConfigs', record, { ifUnchanged: true })
    const { node, wanted, state, why } = record
    const message = `${node} ${describe[state]} version ${wanted} of the node configuration${why === undefined ? '' : `: ${why}`}`
    tx.event({ type: `configuration.${state}`, subject: { node }, message })
  }

  #begun({ version }: ConfigRollout, node: string): NodeConfigRecord {
    const before = this.#state.nodeStatuses.get(node)?.config?.version ?? 0
    return { node, rollout: version, wanted: version, before, order: newId('o'), state: 'applying', since: this.#now() }
  }

  #takenBack(node: string): NodeConfigRecord | undefined {
    const record = this.#state.nodeConfigs.get(node)
    if (record === undefined) return undefined
    const { why: _, output: __, ...rest } = record
    return { ...rest, wanted: record.before, order: newId('o'), state: 'returning', since: this.#now() }
  }

  /** Sends what is to be sent, and takes down what has become of it. */
  async #attend(node: string, signal: AbortSignal): Promise<number | undefined> {
    const record = this.#state.nodeConfigs.get(node)
    if (record === undefined) return undefined
    const report = this.#state.nodeStatuses.get(node)?.config
    const answer = report?.order === record.order ? report : undefined
    if (record.state === 'failed') return await this.#hearLate(record, answer)
    if (record.state !== 'applying' && record.state !== 'returning') return undefined
    if (answer?.state === 'applied' || answer?.state === 'undone')
      return await this.#settle(record, outcome(record, answer))
    const deadline = this.#deadlineOf(record, answer)
    if (this.#now() >= deadline) {
      const why = answer === undefined ? 'its agent was not reached' : 'it was not heard of in time'
      return await this.#settle(record, { state: 'failed', why })
    }
    if (answer === undefined && this.#options.agents.isConnected(node)) await this.#send(record, signal)
    return deadline
  }

  /** It had been given up, and has come to an end all the same. */
  async #hearLate(record: NodeConfigRecord, answer: NodeConfigReport | undefined): Promise<undefined> {
    if (answer?.state === 'undone') return await this.#settle(record, outcome(record, answer))
    if (answer?.state !== 'applied' || record.wanted === record.before) return undefined
    const back = this.#takenBack(record.node)
    if (back !== undefined) await this.#settle(record, back)
  }

  #deadlineOf({ node, since, rollout }: NodeConfigRecord, answer: NodeConfigReport | undefined): number {
    const { workMs = defaultWorkMs, awayMs = defaultAwayMs, isOnline } = this.#options
    const within = this.#state.configVersions.find(rollout)?.spec.rollout.withinMs ?? 0
    const isAtWork = isOnline(node) && answer !== undefined
    return since + within + (isAtWork ? workMs : awayMs)
  }

  async #send({ node, order: id, wanted, rollout }: NodeConfigRecord, signal: AbortSignal): Promise<void> {
    const found = this.#state.nodes.get(node)
    const record = this.#state.nodeConfigs.get(node)
    if (found === undefined || record === undefined) return
    const withinMs = this.#state.configVersions.find(rollout)?.spec.rollout.withinMs ?? defaultAwayMs
    const order = { id, version: wanted, config: nodeConfigAt(this.#state, wanted, found), withinMs }
    try {
      await this.#options.agents.orderConfig(node, order, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(orderMs)]),
      })
    } catch (error) {
      signal.throwIfAborted()
      // It is sent again, with growing pauses, until the time is over.
      if (!(error instanceof BerthError) || error.retryable) throw error
      await this.#settle(record, { state: 'failed', why: messageOf(error) })
    }
  }

  async #settle(record: NodeConfigRecord, change: Partial<NodeConfigRecord>): Promise<undefined> {
    await this.#options.records.commit(actor, (tx) => {
      const now = this.#state.nodeConfigs.get(record.node)
      if (now?.order !== record.order || now.state !== record.state) return
      this.#put(tx, { ...record, since: this.#now(), ...change })
    })
  }
}

/** What the node's word makes of its record. */
function outcome(record: NodeConfigRecord, { state, why, output }: NodeConfigReport): Partial<NodeConfigRecord> {
  const told = { ...(why === undefined ? {} : { why }), ...(output === undefined ? {} : { output }) }
  if (record.state === 'returning') return state === 'applied' ? { state: 'returned' } : { state: 'failed', ...told }
  return state === 'applied' ? { state: 'applied' } : { state: 'undone', ...told }
}

const describe: Readonly<Record<NodeConfigRecord['state'], string>> = {
  applying: 'begins with',
  applied: 'has',
  undone: 'has undone',
  failed: 'failed with',
  returning: 'goes back to',
  returned: 'is back at',
}

const endings: Readonly<Partial<Record<ConfigRollout['state'], string>>> = {
  done: 'every node that is online has it',
  stopped: 'stopped',
  undoing: 'being undone everywhere',
  undone: 'undone everywhere',
}
