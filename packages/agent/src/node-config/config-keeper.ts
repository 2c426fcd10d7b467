import { setTimeout as delay } from 'node:timers/promises'
import type { AgentConfigPlan, ConfigOrder } from '@berth/api'
import {
  BerthError,
  dockerEffect,
  driftOf,
  type ItemChange,
  itemsOf,
  messageOf,
  type NodeConfig,
  type NodeConfigReport,
  planItems,
} from '@berth/core'
import type { Logger } from 'pino'
import type { ConfigMemory, ConfigMemoryFile, Journal } from './config-memory.ts'
import type { HealthGate } from './health-gate.ts'
import type { KindOptions } from './item-kind.ts'
import type { Machine } from './machine.ts'
import { briefChange, shownChange } from './shown-change.ts'
import { applyStages, undoStages } from './stages.ts'

export interface ConfigKeeperOptions {
  readonly file: ConfigMemoryFile
  readonly machine: Machine
  readonly gate: HealthGate
  readonly log: Logger
  readonly onChange: () => void
  /** Between two tries of a way back that failed. */
  readonly undoAgainMs?: number
}

const defaultUndoAgainMs = 10_000
/** One that was interrupted this often is undone. */
const maxInterruptions = 2
const maxToldDrift = 20

/**
 * Makes this machine what the node configuration says, one order at a time, and undoes an order that does it no good. Everything is
 * written down before it is done, so that a killed agent goes on, or goes back.
 */
export class ConfigKeeper implements AsyncDisposable {
  readonly #options: ConfigKeeperOptions
  readonly #closing = new AbortController()
  #work: Promise<void> = Promise.resolve()
  #drift: readonly ItemChange[] = []
  #isTaking = false

  constructor(options: ConfigKeeperOptions) {
    this.#options = options
  }

  /** Goes on with what was under way. */
  async start(): Promise<void> {
    const { memory } = this.#options.file
    const { journal } = memory
    if (journal === undefined) return
    const interruptions = journal.interruptions + 1
    const why = 'the agent was interrupted again and again while it was being applied'
    const failure = interruptions >= maxInterruptions ? { why, output: [] } : undefined
    await this.#save({
      ...memory,
      journal: { ...journal, interruptions, ...(failure && { failure: journal.failure ?? failure }) },
    })
    this.#options.log.warn({ version: journal.order.version, interruptions }, 'goes on with the node configuration')
    this.#begin()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#work
  }

  get report(): NodeConfigReport | undefined {
    const { version, last, journal } = this.#options.file.memory
    if (last === undefined && journal === undefined) return undefined
    const drift = this.#drift.length === 0 ? {} : { drift: this.#drift.slice(0, maxToldDrift).map(briefChange) }
    if (journal === undefined) return { version, ...(last ?? { state: 'applied', at: 0 }), ...drift }
    const { order, failure } = journal
    const told = failure === undefined ? {} : { why: failure.why, output: failure.output }
    return { version, order: order.id, state: failure === undefined ? 'applying' : 'undoing', at: 0, ...told }
  }

  /** What would change, as the machine is now. */
  async plan(config: NodeConfig, options: KindOptions): Promise<AgentConfigPlan> {
    const { changes, leftAsFound, problems } = await this.#compare(config, options)
    await this.lookForDrift(options)
    return { changes: changes.map(shownChange), docker: dockerEffect(changes), problems, leftAsFound }
  }

  /** Resolves when it is written down; how it ends is in the report. Throws `configuration.busy`. */
  async take(order: ConfigOrder, options: KindOptions): Promise<void> {
    const { file, gate } = this.#options
    const { last, journal } = file.memory
    if (journal?.order.id === order.id || last?.order === order.id) return
    if (journal !== undefined || this.#isTaking)
      throw new BerthError('configuration.busy', 'another version is being applied, or undone, on this node', {
        retryable: true,
      })
    this.#isTaking = true
    try {
      const { changes, owned, problems } = await this.#compare(order.config, options)
      if (problems.length > 0)
        return await this.#end(order.id, 'undone', {
          why: `it cannot be done here: ${problems.join('; ')}`,
          output: [],
        })
      const begun: Journal = { order, changes, owned, ready: gate.ready, interruptions: 0, stages: 0 }
      await this.#save({ ...file.memory, journal: begun })
      this.#begin()
    } finally {
      this.#isTaking = false
    }
  }

  /** Looks whether everything owned is still what it was given. */
  async lookForDrift({ signal }: KindOptions): Promise<void> {
    const { file, machine } = this.#options
    const { owned, journal, version } = file.memory
    if (journal !== undefined) return
    const drift = driftOf(owned, await machine.read(Object.keys(owned), { signal }))
    if (file.memory.journal !== undefined || file.memory.version !== version) return
    this.#drift = drift
    this.#options.onChange()
  }

  async #compare(config: NodeConfig, options: KindOptions) {
    const { file, machine } = this.#options
    const { owned } = file.memory
    const wanted = itemsOf(config)
    const found = await machine.read(new Set([...Object.keys(wanted), ...Object.keys(owned)]), options)
    const plan = planItems(wanted, owned, found)
    return { ...plan, problems: await machine.problems(plan.changes, options) }
  }

  #begin(): void {
    this.#drift = []
    this.#work = this.#run(this.#closing.signal).catch((error: unknown) => {
      if (!this.#closing.signal.aborted) this.#options.log.error({ err: error }, 'the node configuration stands still')
    })
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { journal } = this.#options.file.memory
    if (journal?.failure === undefined) await this.#apply(signal)
    while (this.#options.file.memory.journal?.failure !== undefined) await this.#undo(signal)
  }

  async #apply(signal: AbortSignal): Promise<void> {
    const { file, machine, gate, log } = this.#options
    const journal = this.#journal()
    const { order, changes, ready, owned } = journal
    try {
      await applyStages(machine, journal, file.memory, { signal, onStage: (stages) => this.#note({ stages }) })
      const mustHear = changes.length > 0
      await gate.pass({ ready, checks: order.config.checks, withinMs: order.withinMs, mustHear, signal })
    } catch (error) {
      if (signal.aborted) throw error
      const { logTail } = error instanceof BerthError ? error.details : {}
      const output = Array.isArray(logTail) ? logTail.map(String) : []
      log.warn({ version: order.version, reason: messageOf(error) }, 'undoes a version of the node configuration')
      return await this.#note({ failure: { why: messageOf(error), output } })
    }
    await this.#end(order.id, 'applied', undefined, { version: order.version, config: order.config, owned })
    log.info({ version: order.version, changes: changes.length }, 'has a version of the node configuration')
  }

  async #undo(signal: AbortSignal): Promise<void> {
    const { file, machine, log, undoAgainMs = defaultUndoAgainMs } = this.#options
    const journal = this.#journal()
    try {
      await undoStages(machine, journal, file.memory, { signal, log })
      await this.#end(journal.order.id, 'undone', journal.failure)
    } catch (error) {
      if (signal.aborted) throw error
      log.error({ err: error }, `cannot undo version ${journal.order.version} yet: ${messageOf(error)}`)
      await delay(undoAgainMs, undefined, { signal })
    }
  }

  async #end(
    order: string,
    state: 'applied' | 'undone',
    failure?: Journal['failure'],
    inForce: Partial<ConfigMemory> = {},
  ): Promise<void> {
    const { journal: _, ...memory } = this.#options.file.memory
    await this.#save({ ...memory, ...inForce, last: { order, state, at: Date.now(), ...failure } })
  }

  #journal(): Journal {
    const { journal } = this.#options.file.memory
    if (journal === undefined) throw new Error('there is no order under way')
    return journal
  }

  #note(change: Partial<Journal>): Promise<void> {
    return this.#save({ ...this.#options.file.memory, journal: { ...this.#journal(), ...change } })
  }

  async #save(memory: ConfigMemory): Promise<void> {
    await this.#options.file.save(memory)
    this.#options.onChange()
  }
}
