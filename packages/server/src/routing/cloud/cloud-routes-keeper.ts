import { BerthError, messageOf, planCloudRoutes, type RecentChange, routesOfTable, type WantedRoute } from '@berth/core'
import type { Logger } from 'pino'
import { KeyLoop } from '../../controllers/key-loop.ts'
import type { CloudTableRecord, CloudTableStatus, Records } from '../../records/index.ts'
import type { CloudRouteTable } from './cloud-route-table.ts'

export interface CloudRoutesKeeperOptions {
  readonly records: Records
  /** The tables that are to be kept; none while routes are learned otherwise. */
  readonly tables: () => readonly CloudTableRecord[]
  readonly open: (table: CloudTableRecord) => CloudRouteTable
  /** By which our entries are told from others'. */
  readonly owner: string
  readonly log: Logger
  readonly now?: () => number
  readonly lookMs?: number
  /** How long a table may not show what was done. */
  readonly settleMs?: number
}

interface Done extends RecentChange {
  readonly at: number
}

const actor = 'system:cloud-routes'
const defaults = { lookMs: 30_000, settleMs: 60_000 }
/** Another look while something is not to be seen yet. */
const pendingLookMs = 2_000

/** One entry of each node's block in the route tables of providers. What it finds is written down, for whoever asks and for the nodes. */
export class CloudRoutesKeeper implements AsyncDisposable {
  readonly #options: CloudRoutesKeeperOptions
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void
  readonly #done = new Map<string, Done[]>()

  constructor(options: CloudRoutesKeeperOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({
      ...{ name: 'cloud-routes', log: options.log, now: this.#now },
      process: (name, signal) => this.#look(name, signal),
    })
    this.#unsubscribe = options.records.state.changes.subscribe(({ kind }) => {
      if (kind === 'nodes' || kind === 'routings') this.#markAll()
    })
    this.#markAll()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #markAll(): void {
    for (const { name } of this.#options.tables()) this.#loop.mark(name)
  }

  async #look(name: string, signal: AbortSignal): Promise<number | undefined> {
    const table = this.#options.tables().find((each) => each.name === name)
    if (table === undefined) return undefined
    const { state } = this.#options.records
    const wanted = routesOfTable(state.nodes.values(), table.site)
    const { lookMs = defaults.lookMs } = this.#options
    try {
      const { status, waitMs } = await this.#settle(table, wanted, signal)
      await this.#note(status)
      return this.#now() + (waitMs ?? lookMs)
    } catch (error) {
      signal.throwIfAborted()
      // What was in force is so still, as far as anybody knows.
      const { inForce = [] } = state.cloudTables.get(name) ?? {}
      const known = inForce.filter((each) => wanted.some((route) => isSame(route, each)))
      await this.#note({ name, inForce: known, pending: without(wanted, known), failed: [], problem: messageOf(error) })
      return this.#now() + Math.max(waitOf(error), pendingLookMs)
    }
  }

  async #settle(table: CloudTableRecord, wanted: readonly WantedRoute[], signal: AbortSignal) {
    const { open, owner } = this.#options
    const port = open(table)
    const found = await port.list({ signal })
    const plan = planCloudRoutes({ wanted, found, owner, recent: this.#recent(table.name) })
    const failed: Failed[] = plan.foreign.map(({ route, found: entry }) => ({
      ...route,
      why: `somebody else has an entry for it (via ${entry.nextHop}${entry.owner === undefined ? '' : `, of ${entry.owner}`}); remove that`,
    }))
    const pending = [...plan.pending]
    // What is not needed makes room for what is.
    for (const destination of plan.remove) {
      await port.remove({ destination, owner }, { signal })
      this.#did(table.name, { destination })
    }
    for (const route of plan.put) {
      const why = await this.#put(port, route, signal)
      if (why !== undefined) failed.push({ ...route, why })
      else {
        this.#did(table.name, route)
        pending.push(route)
      }
    }
    const isBusy = pending.length + plan.remove.length > 0
    const status = { name: table.name, inForce: [...plan.inForce], pending, failed, ...keptOf(plan.kept) }
    return { status, waitMs: isBusy ? pendingLookMs : undefined }
  }

  /** Why not; what hinders all of them is thrown. */
  async #put(port: CloudRouteTable, { destination, nextHop }: WantedRoute, signal: AbortSignal) {
    const { owner } = this.#options
    try {
      await port.put({ destination, nextHop, owner }, { signal })
      return undefined
    } catch (error) {
      if (error instanceof BerthError && ofOneEntry.has(error.code)) return error.message
      throw error
    }
  }

  #did(table: string, { destination, nextHop }: RecentChange): void {
    const change = { destination, ...(nextHop === undefined ? {} : { nextHop }), at: this.#now() }
    const others = (this.#done.get(table) ?? []).filter((each) => each.destination !== destination)
    this.#done.set(table, [...others, change])
  }

  #recent(table: string): readonly RecentChange[] {
    const { settleMs = defaults.settleMs } = this.#options
    const recent = (this.#done.get(table) ?? []).filter(({ at }) => this.#now() - at < settleMs)
    this.#done.set(table, recent)
    return recent
  }

  async #note(found: CloudTableStatus): Promise<void> {
    const { records, log } = this.#options
    const before = records.state.cloudTables.get(found.name)
    if (JSON.stringify(before) === JSON.stringify(found)) return
    if (found.problem !== undefined && found.problem !== before?.problem)
      log.warn({ table: found.name, problem: found.problem }, 'the entries of a route table cannot be kept')
    await records.commit(actor, (tx) => tx.put('cloudTables', found))
  }
}

type Failed = CloudTableStatus['failed'][number]

const ofOneEntry: ReadonlySet<string> = new Set(['cloud-routes.foreign', 'cloud-routes.quota'])

const isSame = (a: WantedRoute, b: WantedRoute): boolean =>
  a.destination === b.destination && a.nextHop === b.nextHop && a.node === b.node

const without = (routes: readonly WantedRoute[], others: readonly WantedRoute[]): WantedRoute[] =>
  routes.filter((route) => !others.some((other) => isSame(route, other)))

const keptOf = (kept: readonly string[]): { problem?: string } =>
  kept.length === 0
    ? {}
    : {
        problem: `no node is to be in this table, and a table is not emptied: ${kept.join(', ')} stay; remove them there`,
      }

function waitOf(error: unknown): number {
  const wait = error instanceof BerthError ? error.details.retryAfterMs : undefined
  return typeof wait === 'number' ? wait : defaults.lookMs
}
