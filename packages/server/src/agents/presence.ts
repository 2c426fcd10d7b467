import { setTimeout as delay } from 'node:timers/promises'
import type { NodeStatus } from '@berth/core'
import type { Logger } from 'pino'
import { failoverEvents } from '../failover/failover-events.ts'
import type { EventDraft, Records, State } from '../records/index.ts'
import { LastHeard } from './last-heard.ts'
import { WriteTroubles } from './write-troubles.ts'

export interface PresenceOptions {
  readonly records: Records
  readonly log: Logger
  readonly signal: AbortSignal
  readonly onChange: (node: string, online: boolean) => void
  /** A node not heard of for this long is offline. */
  readonly silenceMs?: number
  readonly now?: () => number
}

/** Free disk space changes all the time; less than this part of the disk is no news. */
const diskStep = 0.01
const retryMs = 500

interface Told {
  readonly reported: NodeStatus
  readonly online: boolean
}

/**
 * Who is there. Heartbeats stay in memory; the store is written when a node comes, goes, or describes itself anew. An agent that comes
 * back within the silence (a restart, a new connection) was never offline. After the server's own start every node that was online
 * gets that time to dial again.
 */
export class Presence {
  readonly #options: PresenceOptions
  readonly #state: State
  readonly #silenceMs: number
  readonly #now: () => number
  readonly #lastHeard: LastHeard
  /** Of those that fell silent while this server heard them. */
  readonly #silentSince = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  /** Writes of one node happen one after another, in the order of its reports. */
  readonly #writing = new Map<string, Promise<void>>()
  /** What was to be written last of each of those. */
  readonly #newest = new Map<string, Told>()
  readonly #troubles: WriteTroubles
  /** When the upgrade began whose end was told last, by node: two machines of one name say different things in turn. */
  readonly #toldUpgrades = new Map<string, number>()

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#state = options.records.state
    this.#silenceMs = options.silenceMs ?? 10_000
    this.#now = options.now ?? Date.now
    const tickMs = Math.max(10, this.#silenceMs / 20)
    this.#lastHeard = new LastHeard(this.#silenceMs, tickMs, this.#now)
    this.#troubles = new WriteTroubles({ log: options.log, now: this.#now })
    for (const status of this.#state.nodeStatuses.values()) if (status.online) this.#lastHeard.heard(status.name)
    this.#timer = setInterval(() => this.#expire(), tickMs)
    this.#timer.unref()
  }

  isOnline(node: string): boolean {
    return this.#lastHeard.has(node)
  }

  /** When a node that fell silent was last heard of; undefined: not by this server, or it is there. */
  silentSince(node: string): number | undefined {
    return this.#silentSince.get(node)
  }

  /** Anything came from it. */
  heard(node: string): void {
    if (this.#lastHeard.has(node)) this.#lastHeard.heard(node)
  }

  /** It said hello, or described itself anew. */
  describe(node: string, reported: NodeStatus): void {
    const was = this.#lastHeard.has(node)
    this.#lastHeard.heard(node)
    this.#silentSince.delete(node)
    this.#queue(node, { reported, online: true })
    if (!was) this.#options.onChange(node, true)
  }

  /** It may not come in: what it says of itself is written down, and that it is not there. */
  decline(node: string, reported: NodeStatus): void {
    const was = this.#lastHeard.forget(node)
    this.#queue(node, { reported, online: false })
    if (was) this.#options.onChange(node, false)
  }

  /** The node was removed: nothing more is written of it. */
  forget(node: string): void {
    this.#toldUpgrades.delete(node)
    this.#silentSince.delete(node)
    if (this.#lastHeard.forget(node)) this.#options.onChange(node, false)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.allSettled(this.#writing.values())
  }

  #expire(): void {
    for (const [node, at] of this.#lastHeard.silent()) {
      this.#lastHeard.forget(node)
      this.#silentSince.set(node, at)
      this.#options.log.warn({ node }, `node ${node} was not heard of for ${this.#silenceMs} ms: it is offline`)
      const last = this.#state.nodeStatuses.get(node)
      if (last !== undefined) this.#queue(node, { reported: last, online: false })
      this.#options.onChange(node, false)
    }
  }

  #queue(node: string, told: Told): void {
    const before = this.#writing.get(node) ?? Promise.resolve()
    const next = before.then(() => this.#writeUntilDone(node, told))
    this.#newest.set(node, told)
    this.#writing.set(node, next)
    void next.then(() => {
      if (this.#writing.get(node) !== next) return
      this.#writing.delete(node)
      this.#newest.delete(node)
    })
  }

  /** What cannot be written now (the store's disk is full, say) is written later, unless something newer is known by then. */
  async #writeUntilDone(node: string, told: Told): Promise<void> {
    const { signal } = this.#options
    while (!signal.aborted) {
      try {
        await this.#write(node, told)
        return this.#troubles.written(node)
      } catch (error) {
        if (signal.aborted) return
        this.#troubles.failed(node, error)
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
      if (this.#newest.get(node) !== told) return
    }
  }

  async #write(node: string, { reported, online }: Told): Promise<void> {
    await this.#options.records.commit(
      `node:${node}`,
      (tx) => {
        if (!this.#state.nodes.has(node)) return
        const before = this.#state.nodeStatuses.get(node)
        const { onlineSince: _, ...rest } = reported
        const since = before?.online === true ? before.onlineSince : this.#now()
        const after: NodeStatus = {
          ...rest,
          name: node,
          online,
          ...(online ? { onlineSince: since ?? this.#now() } : {}),
        }
        if (before !== undefined && !isNews(before, after)) return
        tx.require('nodes', node)
        tx.put('nodeStatuses', after, { ifUnchanged: true })
        if (hasRestarted(before, after)) tx.event(gatewayRestarted(node))
        for (const each of failoverEvents(this.#state, before, after)) tx.event(each)
        const upgraded = endOfUpgrade(before, after)
        if (upgraded !== undefined && this.#toldUpgrades.get(node) !== after.upgrade?.at) tx.event(upgraded)
        if (before?.online === online) return
        const message = online
          ? `${node} is online`
          : `${node} is offline: not heard of for ${this.#silenceMs / 1000} s`
        tx.event({ type: online ? 'node.online' : 'node.offline', subject: { node }, message })
      },
      { signal: this.#options.signal },
    )
    if (reported.upgrade !== undefined && reported.upgrade.state !== 'switching')
      this.#toldUpgrades.set(node, reported.upgrade.at)
  }
}

/** What is said again, by an agent that came back, is not told again. */
const hasRestarted = (before: NodeStatus | undefined, { gatewayRestartedAt: at }: NodeStatus): boolean =>
  at !== undefined && before !== undefined && before.gatewayRestartedAt !== at

const gatewayRestarted = (node: string): EventDraft => ({
  type: 'node.gateway-restarted',
  subject: { node },
  message: `the gateway of ${node} serves again: its nginx had ended unasked`,
})

/** How it began is told by who asked for it. */
function endOfUpgrade(before: NodeStatus | undefined, { name, upgrade }: NodeStatus): EventDraft | undefined {
  if (upgrade === undefined || upgrade.state === 'switching' || before === undefined) return undefined
  if (before.upgrade?.at === upgrade.at && before.upgrade.state === upgrade.state) return undefined
  const { state, from, to, why = 'no reason was noted' } = upgrade
  const subject = { node: name }
  if (state === 'done')
    return { type: 'node.upgraded', subject, message: `${name} has version ${to}, no longer ${from}` }
  const message = `${name} has version ${from} again, its upgrade to ${to} was rolled back: ${why}`
  return { type: 'node.upgrade-rolled-back', subject, message }
}

function isNews(before: NodeStatus, after: NodeStatus): boolean {
  const change = Math.abs(before.diskFreeBytes - after.diskFreeBytes)
  if (change > after.diskBytes * diskStep) return true
  return JSON.stringify(comparable(before)) !== JSON.stringify(comparable(after))
}

const comparable = (status: NodeStatus): readonly unknown[] =>
  Object.entries({ ...status, diskFreeBytes: 0 }).sort(([a], [b]) => (a < b ? -1 : 1))
