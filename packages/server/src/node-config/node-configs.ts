import type { AgentConfigPlan, ConfigOrder } from '@berth/api'
import {
  BerthError,
  type ConfigRollout,
  type ConfigSource,
  type ConfigVersion,
  canonicalJson,
  configOfNode,
  messageOf,
  type Node,
  type NodeConfig,
  type NodeConfigSpec,
} from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import { groupOfNode } from '../groups/group-use.ts'
import type { Records, RecordTransaction, State } from '../records/index.ts'
import type { SourceStore } from '../source/source-store.ts'
import { concernedNodes, newestRollout, newestVersion } from './config-nodes.ts'
import { type ReadConfig, readConfig, type SourceRequest } from './config-source.ts'

export interface ConfigAgents {
  planConfig(node: string, config: NodeConfig, options: { readonly signal: AbortSignal }): Promise<AgentConfigPlan>
  orderConfig(node: string, order: ConfigOrder, options: { readonly signal: AbortSignal }): Promise<void>
}

export interface NodeConfigsOptions {
  readonly records: Records
  readonly sources: Pick<SourceStore, 'fetch' | 'readFile'>
  readonly agents: Pick<ConfigAgents, 'planConfig'>
  readonly now?: () => number
}

export interface NodePlan extends AgentConfigPlan {
  readonly node: string
  readonly unknown?: string
}

const planMs = 60_000
const asksAtOnce = 16
const maxVersionLength = 800_000
const keptVersions = 100
const noPlan: AgentConfigPlan = { changes: [], docker: 'none', problems: [], leftAsFound: [] }

/** Versions of the node configuration: what people do with them. How they come to nodes is the controller's. */
export class NodeConfigs {
  readonly #options: NodeConfigsOptions
  readonly #state: State
  readonly #now: () => number

  constructor(options: NodeConfigsOptions) {
    this.#options = options
    this.#state = options.records.state
    this.#now = options.now ?? Date.now
  }

  /** What it would change on each node, asked of the nodes themselves. */
  async plan(
    request: SourceRequest,
    signal: AbortSignal,
  ): Promise<{ readonly version: number; readonly source: ConfigSource; readonly nodes: NodePlan[] }> {
    const { spec, source } = await this.#read(request, signal)
    const waiting = concernedNodes(this.#state, spec)
    const nodes: NodePlan[] = []
    const ask = async (): Promise<void> => {
      for (let node = waiting.shift(); node !== undefined; node = waiting.shift())
        nodes.push(await this.#planOf(node, spec, signal))
    }
    await Promise.all(Array.from({ length: asksAtOnce }, ask))
    nodes.sort((a, b) => (a.node < b.node ? -1 : 1))
    return { version: this.#next(), source, nodes }
  }

  /** Throws `configuration.in-progress` while another version is on its way, unless `force`. */
  async apply(request: SourceRequest, force: boolean, context: CallContext): Promise<ConfigRollout> {
    const read = await this.#read(request, context.signal)
    return await this.#begin(() => read, force, context)
  }

  /** Throws `configuration.none-before`, `configuration.version-not-found`. */
  rollback(to: number | undefined, context: CallContext): Promise<ConfigRollout> {
    const find = (): ReadConfig => {
      const found = to === 0 ? undefined : this.#rollbackTarget(to)
      if (found === undefined) {
        const { rollout } = newestVersion(this.#state)?.spec ?? { rollout: undefined }
        if (rollout === undefined) throw noneBefore()
        return { spec: { enforce: false, rollout, rules: [] }, source: { path: '', rollbackTo: 0 } }
      }
      return { spec: found.spec, source: { ...found.source, rollbackTo: found.version } }
    }
    return this.#begin(find, true, context)
  }

  /** Nothing else is begun. Throws `configuration.not-running`. */
  async stop(context: CallContext): Promise<ConfigRollout> {
    const decide = (tx: RecordTransaction): ConfigRollout => {
      const rollout = newestRollout(this.#state)
      if (rollout?.state !== 'running' && rollout?.state !== 'undoing')
        throw new BerthError('configuration.not-running', 'stop the node configuration: no version is on its way')
      const message = `stopped by ${context.actor}`
      const stopped: ConfigRollout = { ...rollout, state: 'stopped', message, endedAt: this.#now() }
      tx.put('configRollouts', stopped, { ifUnchanged: true })
      tx.event({
        type: 'configuration.stopped',
        subject: {},
        message: `version ${rollout.version} of the node configuration: ${message}`,
      })
      return stopped
    }
    return (await this.#options.records.commit(context.actor, decide, context)).value
  }

  require(version: number): ConfigVersion {
    const found = this.#state.configVersions.find(version)
    if (found !== undefined) return found
    throw new BerthError(
      'configuration.version-not-found',
      `there is no version ${version} of the node configuration; see: berth node config history`,
    )
  }

  #next = (): number => (newestVersion(this.#state)?.version ?? 0) + 1

  /** Without a document: the repository of the version before. */
  async #read(request: SourceRequest, signal: AbortSignal | undefined): Promise<ReadConfig> {
    const before = newestVersion(this.#state)?.source
    const named = request.text !== undefined || request.repository !== undefined
    if (named || before?.repository === undefined) return await readConfig(this.#options.sources, request, signal)
    const { repository, path } = before
    return await readConfig(this.#options.sources, { ...request, repository, path: request.path ?? path }, signal)
  }

  async #planOf(node: Node, spec: NodeConfigSpec, signal: AbortSignal): Promise<NodePlan> {
    const config = configOfNode(spec, { labels: node.labels, group: groupOfNode(node) })
    const limit = AbortSignal.any([signal, AbortSignal.timeout(planMs)])
    try {
      return { node: node.name, ...(await this.#options.agents.planConfig(node.name, config, { signal: limit })) }
    } catch (error) {
      signal.throwIfAborted()
      return { node: node.name, ...noPlan, unknown: limit.aborted ? 'it does not answer' : messageOf(error) }
    }
  }

  /** The last one that came to all nodes and says something else. */
  #rollbackTarget(to: number | undefined): ConfigVersion | undefined {
    if (to !== undefined) return this.require(to)
    const [current, ...earlier] = this.#state.configVersions.newest()
    if (current === undefined) throw noneBefore()
    const content = canonicalJson(current.spec)
    return earlier.find(
      ({ version, spec }) =>
        this.#state.configRollouts.find(version)?.state === 'done' && canonicalJson(spec) !== content,
    )
  }

  async #begin(read: () => ReadConfig, force: boolean, context: CallContext): Promise<ConfigRollout> {
    const decide = (tx: RecordTransaction): ConfigRollout => {
      const { spec, source } = read()
      if (canonicalJson(spec).length > maxVersionLength)
        throw new BerthError(
          'configuration.too-large',
          `a version has at most ${maxVersionLength / 1000} kB with the content of its files`,
        )
      this.#supersede(tx, force)
      const version = this.#next()
      tx.create('configVersions', { version, spec, source, createdAt: this.#now(), createdBy: context.actor })
      const rollout: ConfigRollout = { version, state: 'running', message: 'has begun' }
      tx.create('configRollouts', rollout)
      tx.event({
        type: 'configuration.begun',
        subject: {},
        message: `version ${version} of the node configuration: ${describeSource(source)}`,
      })
      this.#forgetOld(tx)
      return rollout
    }
    return (await this.#options.records.commit(context.actor, decide, context)).value
  }

  #supersede(tx: RecordTransaction, force: boolean): void {
    const before = newestRollout(this.#state)
    if (before?.state !== 'running' && before?.state !== 'undoing') return
    if (!force)
      throw new BerthError(
        'configuration.in-progress',
        `version ${before.version} of the node configuration is on its way; wait for it, stop it (berth node config stop), or say --force`,
        { details: { version: before.version } },
      )
    const message = `version ${this.#next()} was applied over it`
    tx.put('configRollouts', { ...before, state: 'superseded', message, endedAt: this.#now() }, { ifUnchanged: true })
  }

  /** Those that a node has, or had before, stay. */
  #forgetOld(tx: RecordTransaction): void {
    const needed = new Set(
      this.#state.nodeConfigs.all().flatMap(({ wanted, before, rollout }) => [wanted, before, rollout]),
    )
    const old = this.#state.configVersions
      .newest()
      .slice(keptVersions)
      .filter(({ version }) => !needed.has(version))
    for (const { version } of old.slice(0, 10)) {
      tx.delete('configVersions', String(version))
      tx.delete('configRollouts', String(version))
    }
  }
}

export function describeSource({ repository, commit, path, rollbackTo }: ConfigSource): string {
  const from = repository === undefined ? path : `${path} at ${commit?.slice(0, 12)} of ${repository}`
  if (rollbackTo === undefined) return from
  return rollbackTo === 0 ? 'nothing, as before the first version' : `as version ${rollbackTo}`
}

const noneBefore = (): BerthError =>
  new BerthError('configuration.none-before', 'there is no version of the node configuration to go back to')
