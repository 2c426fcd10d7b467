import type { ReachTarget } from '@berth/api'
import { aliveForMs, type Instance, messageOf, type NodeFate, nodeFate } from '@berth/core'
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
  isNew: boolean
  aliveAt?: number
  /** Others have been asked about it. */
  asked?: boolean
  /** It would be lost, were that sure: as soon as it is, somebody has to look. */
  heldBack?: boolean
  /** What was told last. */
  told?: NodeFate
  /** When something may next change by itself. */
  wake?: { readonly at: number; readonly timer: NodeJS.Timeout }
}

const lookMs = 3_000
/** Between two looks: hundreds of nodes that fall silent one after the other are looked at together. */
const pauseMs = 200
const maxTimerMs = 3_600_000
const askedNodes = 3
const askedInstances = 6
/** Nothing needs to listen there: a machine that is up refuses. */
const machinePort = 22
const reachMs = 5_000
const sameMomentMs = 5

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
  /** Somebody has fallen silent since the look that is under way, or the last one, began. */
  #isDue = false
  #pausing: NodeJS.Timeout | undefined
  #cutOff = { at: Number.NEGATIVE_INFINITY, isCutOff: true }

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
    clearTimeout(this.#pausing)
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
    if (fate !== 'lost' || this.#isSure(silence)) return fate
    silence.heldBack = true
    return 'silent'
  }

  /** Looks at every silent node once, and tells of those of which something else is known now: of the others a large cluster has many. */
  async look(): Promise<void> {
    const { state, isOnline, onChange } = this.#options
    for (const node of state.nodes.ids()) this.#note(node)
    const online = [...state.nodes.ids()].filter((node) => isOnline(node))
    const looked = [...this.#silences].map(async ([node, silence]) => {
      const isChanged = await this.#ask(node, silence, online)
      return { node, silence, isChanged }
    })
    for (const { node, silence, isChanged } of await Promise.all(looked)) {
      const isFree = silence.heldBack === true && this.#isSure(silence)
      if (isFree) silence.heldBack = false
      if (isFree || isChanged || this.#isOverdue(silence)) onChange(node)
    }
  }

  /** The clock has jumped, and the timer has not. */
  #isOverdue(silence: Silence): boolean {
    const { wake } = silence
    if (wake === undefined || wake.at > this.#now()) return false
    clearTimeout(wake.timer)
    delete silence.wake
    return true
  }

  #isSure(silence: Silence): boolean {
    return silence.asked === true && !this.#isCutOff()
  }

  #lookSoon(): void {
    this.#isDue = true
    if (this.#looking !== undefined || this.#pausing !== undefined) return
    this.#isDue = false
    this.#looking = this.look().finally(() => {
      this.#looking = undefined
      if (!this.#closing.signal.aborted) this.#pausing = setTimeout(() => this.#paused(), pauseMs).unref()
    })
  }

  #paused(): void {
    this.#pausing = undefined
    if (this.#isDue) this.#lookSoon()
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
    // A timer may be a part of a millisecond early by this clock, and whoever looks then finds that it is not time yet.
    silence.wake = { at, timer: setTimeout(wake, Math.min(at - now + 1, maxTimerMs)).unref() }
  }

  #note(node: string): void {
    const { isOnline, state, silentSince } = this.#options
    if (isOnline(node) || !state.nodes.has(node)) this.#forget(node)
    else if (!this.#silences.has(node))
      this.#silences.set(node, { since: silentSince?.(node) ?? this.#now(), isNew: true })
  }

  #forget(node: string): void {
    clearTimeout(this.#silences.get(node)?.wake?.timer)
    this.#silences.delete(node)
  }

  /** A decision about a large pool asks many times in one moment. */
  #isCutOff(): boolean {
    const now = performance.now()
    if (now - this.#cutOff.at > sameMomentMs) this.#cutOff = { at: now, isCutOff: this.#lookWhetherCutOff() }
    return this.#cutOff.isCutOff
  }

  #lookWhetherCutOff(): boolean {
    const { state, isOnline } = this.#options
    let online = 0
    for (const node of state.nodes.ids()) if (isOnline(node)) online += 1
    return online === 0 || (state.nodes.size > 2 && online * 2 < state.nodes.size)
  }

  /** True when something else is known of it than before; what ends by itself is told when it does. */
  async #ask(node: string, silence: Silence, online: readonly string[]): Promise<boolean> {
    const { isNew, asked } = silence
    silence.isNew = false
    const targets = this.#targetsOn(node)
    if (targets.length === 0) return isNew
    const answered = await this.#reach(node, online.filter((each) => each !== node).slice(0, askedNodes), targets)
    const wasAlive = silence.aliveAt !== undefined && this.#now() - silence.aliveAt < aliveForMs
    silence.asked = true
    if (answered !== undefined) silence.aliveAt = this.#now()
    await this.#tell(node, silence, answered)
    return isNew || asked !== true || (answered !== undefined && !wasAlive)
  }

  /** One that answers somebody. */
  async #reach(
    node: string,
    others: readonly string[],
    targets: readonly ReachTarget[],
  ): Promise<ReachTarget | undefined> {
    const { reach, log } = this.#options
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(reachMs)])
    const answers = await Promise.all(
      others.map((from) =>
        reach(from, targets, { signal }).catch((error: unknown) => {
          log.debug({ err: error, from, node }, `ask ${from} about ${node}: ${messageOf(error)}`)
          return []
        }),
      ),
    )
    return answers.flat()[0]
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
