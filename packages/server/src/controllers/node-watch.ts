import type { ReachTarget } from '@berth/api'
import { type Instance, messageOf, type NodeFate, nodeFate } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, State } from '../records/index.ts'
import { hasEnded } from './has-ended.ts'

/** Asks an agent which of the addresses answer it. */
export type Reach = (
  from: string,
  targets: readonly ReachTarget[],
  options: { readonly signal: AbortSignal },
) => Promise<readonly ReachTarget[]>

export interface NodeWatchOptions {
  readonly records: Records
  readonly state: State
  readonly isOnline: (node: string) => boolean
  readonly reach: Reach
  /** When a silent node was last heard of, where that is known. */
  readonly silentSince?: (node: string) => number | undefined
  /** What is known of the node has changed, or time has passed since it fell silent. */
  readonly onChange: (node: string) => void
  readonly log: Logger
  readonly now?: () => number
  readonly lookMs?: number
}

interface Silence {
  readonly since: number
  aliveAt?: number
  /** Others have been asked about it. */
  asked?: boolean
  /** What was told last. */
  told?: NodeFate
  /** When something may next change by itself. */
  wake?: { readonly at: number; readonly timer: NodeJS.Timeout }
}

const lookMs = 3_000
const maxTimerMs = 3_600_000
const askedNodes = 3
const askedInstances = 6
/** Nothing needs to listen there: a machine that is up refuses. */
const machinePort = 22
const reachMs = 5_000

/**
 * Tells a lost node from one whose agent is silent: other nodes are asked whether anything on it answers them. While no agent is heard of,
 * or most are silent at once, it is the server that may be cut off, and no node is lost.
 */
export class NodeWatch implements AsyncDisposable {
  readonly #options: NodeWatchOptions
  readonly #now: () => number
  readonly #silences = new Map<string, Silence>()
  readonly #closing = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #unsubscribe: () => void
  #looking: Promise<void> | undefined

  constructor(options: NodeWatchOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    for (const node of options.state.nodes.ids()) this.#note(node)
    this.#timer = setInterval(() => this.#lookSoon(), options.lookMs ?? lookMs)
    this.#timer.unref()
    this.#unsubscribe = options.state.changes.subscribe((change) => {
      if (change.kind === 'nodeStatuses' && change.before?.online === true && change.after?.online === false)
        this.#lookSoon()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#unsubscribe()
    this.#closing.abort()
    await this.#looking
    for (const node of this.#silences.keys()) this.#forget(node)
  }

  /** `afterMs`: how long the app waits; undefined: for ever. */
  fate(node: string, afterMs: number | undefined): NodeFate {
    const silence = this.#silences.get(node)
    const online = this.#options.isOnline(node)
    if (online || silence === undefined) return 'here'
    const evidence = { online, silentSince: silence.since, ...aliveOf(silence) }
    const { fate, nextAt } = nodeFate(evidence, afterMs, this.#now())
    if (nextAt !== undefined) this.#wakeAt(node, silence, nextAt)
    const sure = silence.asked === true && !this.#isCutOff()
    return fate === 'lost' && !sure ? 'silent' : fate
  }

  /** Looks at every silent node once. */
  async look(): Promise<void> {
    for (const node of this.#options.state.nodes.ids()) this.#note(node)
    await Promise.all([...this.#silences].map(([node, silence]) => this.#ask(node, silence)))
    for (const node of this.#silences.keys()) this.#options.onChange(node)
  }

  #lookSoon(): void {
    this.#looking ??= this.look().finally(() => {
      this.#looking = undefined
    })
  }

  /** So that nobody waits for the next look once an app's patience has ended. */
  #wakeAt(node: string, silence: Silence, at: number): void {
    const now = this.#now()
    if (this.#closing.signal.aborted || (silence.wake !== undefined && silence.wake.at <= at)) return
    clearTimeout(silence.wake?.timer)
    const wake = () => {
      delete silence.wake
      this.#options.onChange(node)
    }
    silence.wake = { at, timer: setTimeout(wake, Math.min(at - now, maxTimerMs)).unref() }
  }

  #note(node: string): void {
    const { isOnline, state, silentSince } = this.#options
    if (isOnline(node) || !state.nodes.has(node)) this.#forget(node)
    else if (!this.#silences.has(node)) this.#silences.set(node, { since: silentSince?.(node) ?? this.#now() })
  }

  #forget(node: string): void {
    clearTimeout(this.#silences.get(node)?.wake?.timer)
    this.#silences.delete(node)
  }

  #isCutOff(): boolean {
    const nodes = [...this.#options.state.nodes.ids()]
    const online = nodes.filter((node) => this.#options.isOnline(node)).length
    return online === 0 || (nodes.length > 2 && online * 2 < nodes.length)
  }

  async #ask(node: string, silence: Silence): Promise<void> {
    const { state, isOnline, reach, log } = this.#options
    const targets = this.#targetsOn(node)
    if (targets.length === 0) return
    const others = [...state.nodes.ids()].filter((each) => each !== node && isOnline(each)).slice(0, askedNodes)
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(reachMs)])
    const answers = await Promise.all(
      others.map((from) =>
        reach(from, targets, { signal }).catch((error: unknown) => {
          log.debug({ err: error, from, node }, `ask ${from} about ${node}: ${messageOf(error)}`)
          return []
        }),
      ),
    )
    const answered = answers.flat()
    silence.asked = true
    if (answered.length > 0) silence.aliveAt = this.#now()
    await this.#tell(node, silence, answered[0])
  }

  #targetsOn(node: string): readonly ReachTarget[] {
    const { state } = this.#options
    const record = state.nodes.get(node)
    const running = state.instances.byNode(node).filter((each) => each.desired === 'run' && !hasEnded(state, each))
    if (record === undefined || running.length === 0) return []
    return [
      { address: record.address, port: machinePort },
      ...running.slice(0, askedInstances).flatMap((each) => this.#targetOf(each)),
    ]
  }

  #targetOf(instance: Instance): readonly ReachTarget[] {
    const { app, release, entrypoint, address } = instance
    const spec = this.#options.state.releases.find(app, release)?.spec.entrypoints[entrypoint]
    const port = spec?.ports.find((each) => each.protocol === 'tcp')?.port
    return address === undefined || port === undefined ? [] : [{ address, port }]
  }

  async #tell(node: string, silence: Silence, answered: ReachTarget | undefined): Promise<void> {
    const alive = answered !== undefined
    const fate: NodeFate = alive ? 'agent-away' : 'silent'
    if (silence.told === fate || (!alive && silence.told === undefined)) return
    silence.told = fate
    const message = alive
      ? `${node}: its agent is silent, but ${answered.address} answers other nodes: its instances stay where they are`
      : `${node} does not answer other nodes any more`
    try {
      await this.#options.records.commit(
        'system:nodes',
        (tx) => tx.event({ type: alive ? 'node.agent-away' : 'node.silent', subject: { node }, message }),
        { signal: this.#closing.signal },
      )
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#options.log.warn({ err: error, node }, messageOf(error))
    }
  }
}

const aliveOf = ({ aliveAt }: Silence): { readonly aliveAt?: number } => (aliveAt === undefined ? {} : { aliveAt })
