import {
  type Certificate,
  compileRoutes,
  type Instance,
  memberKey,
  type RouteTable,
  type RouteTarget,
  settleRoutes,
  targetsOf,
} from '@berth/core'
import { reachedAddress } from '../lans/lan-nodes.ts'
import { poolId, type State, type StateChange } from '../records/index.ts'
import { ActivityFlips } from './activity-flips.ts'
import { type GatewayReport, GatewayReports } from './gateway-reports.ts'
import { MemberVersions } from './member-versions.ts'
import { PacedWork } from './paced-work.ts'
import { RoutedPools } from './routed-pools.ts'
import type { Traffic, TrafficPortRoute, TrafficRoute } from './traffic.ts'

/** What the gateways do with one instance. */
export interface TrafficView {
  readonly routed: boolean
  readonly inTraffic: boolean
  readonly outOfTraffic: boolean
  readonly inflight: number
}

export interface TrafficOptions {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  readonly certificates: () => readonly Certificate[]
  /** A new table is to be sent to every gateway. */
  readonly onTable: (table: RouteTable) => void
  /** What {@link TrafficController.view} says of these instances may have changed. */
  readonly onChange: (pools: Iterable<string>) => void
  /** How long a gateway that ends is waited for. */
  readonly endingMs?: number
}

/**
 * Keeps the gateways' table and knows, per instance, whether they all have taken it in or let it go. Nothing of this is stored: the
 * table is derived, its version is the store's revision, and the gateways report what is in force. Which tables a server before this
 * one has sent is not known, so that of an instance nothing is believed before its first table is in force.
 */
export class TrafficController implements Traffic, Disposable {
  readonly #options: TrafficOptions
  readonly #unsubscribe: () => void
  readonly #reports: GatewayReports
  readonly #members = new MemberVersions()
  readonly #flips: ActivityFlips
  #routedEntrypoints = new Set<string>()
  #table: RouteTable
  readonly #listeners = new Set<(instances: readonly string[]) => void>()
  readonly #pools: RoutedPools
  readonly #compiling = new PacedWork({ act: () => this.#recompile() })

  constructor(options: TrafficOptions) {
    this.#options = options
    this.#reports = new GatewayReports({ ...options, onGivenUp: () => options.onChange(this.#poolsInTransition()) })
    this.#pools = new RoutedPools(options.state)
    this.#flips = new ActivityFlips(options.state)
    this.#table = { version: 0, routes: [], certificates: [] }
    this.#recompile()
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
  }

  get table(): RouteTable {
    return this.#table
  }

  /** Gives the table the version of the state as it is: what a leader before this server has given out had lower ones. */
  renumber(): void {
    this.#recompile()
    this.#table = { ...this.#table, version: this.#options.state.revision }
  }

  /** As every server tells it; what is decided goes by {@link view}. */
  isInTraffic(instance: string): boolean {
    const madeAt = this.#members.madeAt(instance)
    return madeAt !== undefined && this.#reports.inForceOnline(madeAt)
  }

  /** Every gateway that serves routes by what the store held at this revision, or later; and there is one. */
  isInForce(revision: number): boolean {
    return this.#reports.inForceOnline(revision)
  }

  gatewaysBehind(instance: string): readonly string[] {
    if (this.#members.activeSince(instance) !== undefined) return []
    return this.#reports.behind(this.#members.inactiveSince(instance))
  }

  routes(): readonly TrafficRoute[] {
    return this.#table.routes.flatMap((route) =>
      byPool(route.targets).map((target) => {
        const { id, host, path, tls, maintenance } = route
        const state = maintenance === undefined ? {} : { maintenance: true as const }
        const { external, members } = target
        const [app = '', pool = '', entrypoint = ''] = external === undefined ? target.pool.split('/') : []
        const whose = external === undefined ? {} : { external }
        return { id, host, path, tls, app, pool, entrypoint, ...whose, ...state, members }
      }),
    )
  }

  portRoutes(): readonly TrafficPortRoute[] {
    return (this.#table.ports ?? []).map(({ id, protocol, port, targets, allow = [] }) => {
      const members = targets.flatMap((target) => target.members)
      const [app = '', pool = '', entrypoint = ''] = targets[0]?.pool.split('/') ?? []
      return { id, protocol, port, app, pool, entrypoint, allow, members }
    })
  }

  subscribe(listener: (instances: readonly string[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  [Symbol.dispose](): void {
    this.#compiling[Symbol.dispose]()
    this.#reports[Symbol.dispose]()
    this.#unsubscribe()
  }

  /** A gateway's word on which table is in force in all its workers. */
  report(node: string, report: GatewayReport): void {
    const before = this.#reports.versionOf(node)
    this.#reports.take(node, report)
    const arrived = before === report.version ? [] : this.#members.activeAfter(before ?? -1)
    // Somebody may have waited for these without a rollout: one that leaves a drained node.
    this.#options.onChange(new Set([...this.#poolsInTransition(), ...this.#poolsOf(arrived)]))
    this.#tell(arrived)
  }

  view(instance: Instance): TrafficView {
    const active = this.#members.activeSince(instance.id)
    const inactive = this.#members.inactiveSince(instance.id)
    return {
      routed: this.#isRouted(instance) && this.#reports.exist,
      inTraffic: active !== undefined && this.#reports.inForceOnline(active),
      outOfTraffic: active === undefined && this.#reports.inForceEverywhere(inactive),
      inflight: this.#inflight(instance),
    }
  }

  #onChange(change: StateChange): void {
    if (change.kind === 'nodes') this.#reports.nodeChanged(change.id)
    if (change.kind === 'nodeStatuses') this.#reports.statusChanged(change.id)
    this.#flips.note(change)
    if (this.#isAboutGateways(change)) this.#options.onChange(this.#poolsInTransition())
    if (this.#pools.note(change) || isBesidePools(change)) this.#compiling.mark('table')
  }

  #isAboutGateways(change: StateChange): boolean {
    if (change.kind === 'nodes')
      return change.before?.labels.gateway !== change.after?.labels.gateway || change.after?.labels.gateway === 'true'
    if (change.kind !== 'nodeStatuses') return false
    const { before, after } = change
    return (
      before?.gateway !== after?.gateway || (before?.online !== after?.online && this.#reports.isGateway(change.id))
    )
  }

  #isRouted = (instance: Instance): boolean =>
    this.#routedEntrypoints.size > 0 &&
    this.#routedEntrypoints.has(`${instance.app}/${instance.pool}/${instance.entrypoint}`)

  #inflight(instance: Instance): number {
    const address = reachedAddress(this.#options.state, instance)
    if (address === undefined || !this.#reports.exist) return 0
    let sum = 0
    const spec = this.#options.state.releases.find(instance.app, instance.release)?.spec.entrypoints[
      instance.entrypoint
    ]
    for (const { port } of spec?.ports ?? []) {
      sum += this.#reports.inflight(memberKey({ address, port }))
    }
    return sum
  }

  #recompile(): void {
    const { state } = this.#options
    const externals = state.externals.all()
    const compiled = compileRoutes(
      this.#pools.refresh(),
      this.#options.certificates(),
      state.revision,
      externals,
      state.maintenance,
      state.acmeChallenges.values(),
    )
    const isFirst = this.#table.version === 0
    const table = isFirst ? compiled : settleRoutes(this.#table, compiled)
    if (table === this.#table) {
      this.#flips.clear()
      return
    }
    this.#table = table
    this.#routedEntrypoints = new Set([...targetsOf(table)].map((target) => target.pool))
    const { entered, left } = this.#members.enter(table, (instance) => this.#flips.of(instance))
    this.#flips.clear()
    this.#members.keepOnly((instance) => state.instances.has(instance))
    this.#tell(left)
    this.#options.onTable(table)
    this.#options.onChange(this.#poolsOf([...entered, ...left]))
  }

  #poolsOf(instances: readonly string[]): Set<string> {
    const known = instances.flatMap((id) => this.#options.state.instances.get(id) ?? [])
    return new Set(known.map((instance) => poolId(instance.app, instance.pool)))
  }

  #tell(instances: readonly string[]): void {
    if (instances.length > 0) for (const listener of this.#listeners) listener(instances)
  }

  /** Pools with instances on their way in or out: only they wait for a gateway's word. */
  #poolsInTransition(): Set<string> {
    const { pools, instances } = this.#options.state
    const found = new Set<string>()
    for (const pool of pools.values()) if (pool.rollout !== undefined) found.add(poolId(pool.app, pool.name))
    for (const { app, pool } of instances.draining()) found.add(poolId(app, pool))
    for (const id of this.#pools.withOld()) found.add(id)
    return found
  }
}

/** The two releases of a pool are two targets while a rollout shares requests out between them. */
const byPool = (targets: readonly RouteTarget[]): RouteTarget[] =>
  [...Map.groupBy(targets, ({ pool }) => pool).values()].map((each) => ({
    ...each[0]!,
    members: each.flatMap(({ members }) => members),
  }))

const isBesidePools = (change: StateChange): boolean =>
  change.kind === 'certificates' ||
  change.kind === 'maintenance' ||
  change.kind === 'acmeChallenges' ||
  isRouted(change)

/** An external service that has, had or gets a route. */
const isRouted = (change: StateChange): boolean =>
  change.kind === 'externals' &&
  [change.before, change.after].some((each) => each !== undefined && each.routes.length > 0)
