import type { ServerAddress } from '@berth/api'
import {
  type Assignment,
  compileNames,
  type Instance,
  isHeld,
  type NamedApp,
  type NameTable,
  type NetworkConfig,
  namedServices,
  type Pool,
  type PooledInstance,
  type RouteTable,
  resolveAssignment,
  sameNames,
} from '@berth/core'
import type { FeedLine, NodeFeed, SnapshotLine } from '../agents/node-feed.ts'
import type { State, StateChange } from '../records/index.ts'

export interface ClusterFeedOptions {
  readonly state: State
  /** The cluster's address pool, `10.77.0.0/16`. */
  readonly addressPool: string
  readonly domain: string
  readonly defaultPool: string
  /** Values of an app's secrets in an environment, the environment's own over the app-wide ones. */
  readonly secretsFor: (app: string, environment: string, names: readonly string[]) => ReadonlyMap<string, string>
  readonly routes: () => RouteTable
  /** Where agents find servers; undefined where there is one. */
  readonly servers: () => readonly ServerAddress[] | undefined
}

type Send = (line: FeedLine) => void

/**
 * What each node should know, derived from the state: assignments with every change of their instance, names at most once per turn of the
 * event loop however many instances changed, and only when they differ from those sent last.
 */
export class ClusterFeed implements NodeFeed, Disposable {
  readonly #options: ClusterFeedOptions
  readonly #subscribers = new Map<string, Set<Send>>()
  readonly #unsubscribe: () => void
  #names: NameTable
  #namesScheduled = false
  #disposed = false

  constructor(options: ClusterFeedOptions) {
    this.#options = options
    this.#names = this.#compileNames()
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#unsubscribe()
  }

  snapshot(node: string): SnapshotLine {
    const { state } = this.#options
    const assignments = state.instances.byNode(node).flatMap((instance) => this.#assignment(instance) ?? [])
    const line = {
      type: 'snapshot' as const,
      epoch: state.epoch,
      ...(state.follows.length === 0 ? {} : { follows: state.follows }),
      revision: state.revision,
      assignments,
      network: this.#network(node),
      names: this.#names,
      servers: this.#options.servers(),
    }
    return this.#isGateway(node) ? { ...line, routes: this.#options.routes() } : line
  }

  subscribe(node: string, send: Send): () => void {
    const senders = this.#subscribers.get(node) ?? new Set()
    this.#subscribers.set(node, senders.add(send))
    return () => {
      senders.delete(send)
      if (senders.size === 0) this.#subscribers.delete(node)
    }
  }

  /** Called by the traffic controller's owner for every new table. */
  sendRoutes(routes: RouteTable): void {
    for (const node of this.#subscribers.keys()) {
      if (this.#isGateway(node)) this.#send(node, { type: 'routes', revision: routes.version, routes })
    }
  }

  #onChange(change: StateChange): void {
    if (change.kind === 'instances') this.#onInstance(change.before, change.after, change.revision)
    else if (change.kind === 'statuses' || change.kind === 'apps') this.#scheduleNames()
    else if (change.kind === 'pools') this.#onPool(change.before, change.after, change.revision)
    else if (change.kind === 'nodes') this.#onNodes(change.id, change.revision)
    else if (change.kind === 'members') this.#onMembers(change.revision)
  }

  #onInstance(before: Instance | undefined, after: Instance | undefined, revision: number): void {
    this.#scheduleNames()
    if (after === undefined) {
      if (before?.node === undefined) return
      const { node, id, createdAt } = before
      this.#send(node, { type: 'forget', revision, instance: id, createdAt })
      return
    }
    const assignment = after.node === undefined ? undefined : this.#assignment(after)
    if (assignment !== undefined && after.node !== undefined)
      this.#send(after.node, { type: 'assign', revision, assignment })
  }

  /** All of a gang have a place: now their agents hear of them. */
  #onPool(before: Pool | undefined, after: Pool | undefined, revision: number): void {
    this.#scheduleNames()
    if (after?.openGangs === undefined) return
    for (const instance of this.#options.state.instances.byPool(after.app, after.name))
      if (isHeld(instance, before) && !isHeld(instance, after)) this.#onInstance(undefined, instance, revision)
  }

  /** A node that joined or left changes everybody's routes; a label may have made this one a gateway. */
  #onNodes(changed: string, revision: number): void {
    for (const node of this.#subscribers.keys())
      this.#send(node, { type: 'network', revision, network: this.#network(node) })
    if (this.#isGateway(changed)) this.#send(changed, { type: 'routes', revision, routes: this.#options.routes() })
  }

  #onMembers(revision: number): void {
    const servers = this.#options.servers()
    if (servers === undefined) return
    for (const node of this.#subscribers.keys()) this.#send(node, { type: 'servers', revision, servers })
  }

  #send(node: string, line: FeedLine): void {
    for (const send of this.#subscribers.get(node) ?? []) send(line)
  }

  #scheduleNames(): void {
    if (this.#namesScheduled) return
    this.#namesScheduled = true
    setImmediate(() => {
      this.#namesScheduled = false
      if (this.#disposed) return
      const names = this.#compileNames()
      if (sameNames(names, this.#names)) return
      this.#names = names
      for (const node of this.#subscribers.keys()) this.#send(node, { type: 'names', revision: names.version, names })
    })
  }

  #compileNames(): NameTable {
    const { state, defaultPool } = this.#options
    const specOf = (app: string, release: string) => state.releases.find(app, release)?.spec
    return compileNames(pooled(state), specOf, namedApps(state, defaultPool), state.revision)
  }

  #assignment(instance: Instance): Assignment | undefined {
    const { state, domain, secretsFor } = this.#options
    const release = state.releases.find(instance.app, instance.release)
    const pool = state.pools.find(instance.app, instance.pool)
    if (release === undefined || pool === undefined || isHeld(instance, pool)) return undefined
    const references = release.spec.entrypoints[instance.entrypoint]?.secrets ?? []
    return resolveAssignment({
      instance,
      release,
      environment: pool.environment,
      secrets: secretsFor(
        instance.app,
        pool.environment,
        references.map((each) => each.name),
      ),
      domain,
      specOf: (app) => {
        const current = state.pools.find(app, instance.pool)?.release ?? state.releases.byApp(app).at(-1)?.id
        return current === undefined ? undefined : state.releases.find(app, current)?.spec
      },
    })
  }

  #network(node: string): NetworkConfig {
    const { state, addressPool, domain, defaultPool } = this.#options
    const peers = [...state.nodes.values()]
      .filter((each) => each.name !== node)
      .map((each) => ({ node: each.name, block: each.block, via: each.address }))
    return { pool: addressPool, block: state.nodes.get(node)?.block ?? '', peers, domain, defaultPool }
  }

  #isGateway = (node: string): boolean => this.#options.state.nodes.get(node)?.labels.gateway === 'true'
}

function* pooled(state: State): Generator<PooledInstance> {
  for (const instance of state.instances.values()) {
    const status = state.statuses.get(instance.id)
    yield status === undefined ? { instance } : { instance, status }
  }
}

/** Where pools run releases of other entrypoints, the default pool's come first: they tell what the app's own name means. */
function namedApps(state: State, defaultPool: string): NamedApp[] {
  return [...state.apps.values()].map((app) => {
    const byName = state.pools.byApp(app.name).sort((a, b) => (a.name < b.name ? -1 : 1))
    const pools = [
      ...byName.filter(({ name }) => name === defaultPool),
      ...byName.filter(({ name }) => name !== defaultPool),
    ]
    const releases = new Set(pools.flatMap((pool) => releaseOf(state, pool) ?? []))
    const specs = [...releases].flatMap((id) => state.releases.find(app.name, id)?.spec ?? [])
    const entrypoints = [...new Set(specs.flatMap((spec) => namedServices(spec.entrypoints)))]
    return { app: app.name, pools: pools.map((pool) => pool.name), entrypoints }
  })
}

/** During a first deploy the names exist already: entrypoints that need each other wait for an answer, not for a name. */
function releaseOf(state: State, pool: Pool): string | undefined {
  if (pool.release !== undefined || pool.rollout === undefined) return pool.release
  return state.rollouts.get(pool.rollout)?.to
}
