import type { InstanceView, RouteView } from '@berth/api'
import { BerthError, type Instance } from '@berth/core'
import type { State } from '../../records/index.ts'
import { instanceView } from '../../views/instance-view.ts'
import { portRouteView, routeView } from '../../views/plain-views.ts'
import { certifiedNames } from '../../views/route-url.ts'
import type { ViewContext } from '../../views/view-context.ts'
import type { BesideRecords, Listing } from './listing.ts'

/**
 * Notes when instances entered or left traffic, which no record tells, so that a watcher who comes back learns of it too. Nodes going
 * offline, which views of instances show as well, are told through the nodes' statuses.
 */
export class TrafficChanges implements BesideRecords, Disposable {
  readonly #context: ViewContext
  readonly #startedAt: number
  readonly #revisions = new Map<string, number>()
  readonly #touches = new Set<(ids: Iterable<string>) => void>()
  readonly #stops: readonly (() => void)[]
  #lastRevision: number

  constructor(context: ViewContext) {
    const { state, traffic } = context
    this.#context = context
    this.#startedAt = state.revision
    this.#lastRevision = state.revision
    this.#stops = [
      traffic.subscribe((instances) => this.#note(instances)),
      state.changes.subscribe((change) => {
        if (change.kind === 'instances' && change.after === undefined) this.#revisions.delete(change.id)
      }),
    ]
  }

  /** Revision at which traffic last changed. */
  get lastRevision(): number {
    return this.#lastRevision
  }

  subscribe(touch: (ids: Iterable<string>) => void): () => void {
    this.#touches.add(touch)
    return () => this.#touches.delete(touch)
  }

  /** Before this server's start nothing is known: then everything is sent. */
  since(revision: number): Iterable<string> {
    if (revision < this.#startedAt) return this.#context.state.instances.ids()
    return [...this.#revisions].flatMap(([id, at]) => (at >= revision ? [id] : []))
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop()
  }

  #note(instances: readonly string[]): void {
    this.#lastRevision = this.#context.state.revision
    for (const id of instances) if (this.#context.state.instances.has(id)) this.#revisions.set(id, this.#lastRevision)
    for (const touch of this.#touches) touch(instances)
  }
}

export interface InstanceFilter {
  readonly app?: string | undefined
  readonly pool?: string | undefined
  readonly entrypoint?: string | undefined
  readonly node?: string | undefined
  /** Also those that have ended. */
  readonly all?: boolean | undefined
}

/** Ids: the instance's. */
export function instanceListing(
  context: ViewContext,
  changes: TrafficChanges,
  filter: InstanceFilter,
): Listing<InstanceView> {
  const { state } = context
  const fits = (instance: Instance): boolean =>
    matches(instance, filter) && (filter.all === true || state.statuses.field(instance.id, 'phase') !== 'ended')
  return {
    all: () =>
      candidates(state, filter)
        .filter(fits)
        .sort(inOrder)
        .map((instance) => instanceView(context, instance)),
    get: (id) => {
      const instance = state.instances.get(id)
      return instance === undefined || !fits(instance) ? undefined : instanceView(context, instance)
    },
    touched: (change) => {
      if (change.kind === 'instances' || change.kind === 'statuses') return [change.id]
      return change.kind === 'nodeStatuses' ? state.instances.byNode(change.id).map((each) => each.id) : []
    },
    beside: changes,
  }
}

function candidates(state: State, { app, pool, node }: InstanceFilter): Instance[] {
  if (app !== undefined && pool !== undefined) return state.instances.byPool(app, pool)
  if (app !== undefined) return state.instances.byApp(app)
  return node === undefined ? state.instances.all() : state.instances.byNode(node)
}

export const matches = (instance: Instance, filter: InstanceFilter): boolean =>
  (filter.app === undefined || instance.app === filter.app) &&
  (filter.pool === undefined || instance.pool === filter.pool) &&
  (filter.entrypoint === undefined || instance.entrypoint === filter.entrypoint) &&
  (filter.node === undefined || instance.node === filter.node)

const inOrder = (a: Instance, b: Instance): number =>
  compare(a.app, b.app) || compare(a.pool, b.pool) || compare(a.entrypoint, b.entrypoint) || a.ordinal - b.ordinal

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

/** Ids: the route's URL. Routes are derived, not stored, so a watch can only go on where nothing has changed since. */
export function routeListing(context: ViewContext, changes: TrafficChanges): Listing<RouteView> {
  const all = (): RouteView[] => {
    const certified = certifiedNames(context.state)
    const ofHosts = context.traffic.routes().map((route) => routeView(route, context.gateway, certified))
    return [...ofHosts, ...context.traffic.portRoutes().map((route) => portRouteView(route, context.gateway))]
  }
  const ids = (): string[] => all().map((route) => route.url)
  return {
    all: () => all().sort((a, b) => compare(a.url, b.url)),
    get: (id) => all().find((route) => route.url === id),
    touched: () => [],
    beside: {
      subscribe: (touch) => {
        let known = ids()
        return changes.subscribe(() => {
          const now = ids()
          touch(new Set([...known, ...now]))
          known = now
        })
      },
      since: (revision) => {
        if (changes.lastRevision <= revision) return ids()
        throw new BerthError('store.compacted', `routes have changed since revision ${revision}; list them again`, {
          details: { revision },
        })
      },
    },
  }
}
