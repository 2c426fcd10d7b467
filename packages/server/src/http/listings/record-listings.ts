import type {
  AppView,
  BuildView,
  CertificateView,
  EventView,
  NodeView,
  RegistryView,
  ReleaseView,
  RolloutView,
  SecretView,
  TokenView,
} from '@berth/api'
import { type Node, parseInstanceId, servingCertificates } from '@berth/core'
import { type CertificateRecord, type RecordKind, releaseId, releaseNumber, type State } from '../../records/index.ts'
import { appView, releaseView } from '../../views/app-view.ts'
import { buildsAhead } from '../../views/builds-ahead.ts'
import { nodeView } from '../../views/node-view.ts'
import { buildView, certificateView, eventView, registryView, secretView, tokenView } from '../../views/plain-views.ts'
import { rolloutView } from '../../views/rollout-view.ts'
import type { ViewContext } from '../../views/view-context.ts'
import type { Listing, SeenChange } from './listing.ts'
import { recordListing } from './record-listing.ts'

const none: readonly string[] = []
const only =
  (kind: RecordKind) =>
  (change: SeenChange): readonly string[] =>
    change.kind === kind ? [change.id] : none
const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1)
const newestFirst = (a: { readonly createdAt: number }, b: { readonly createdAt: number }): number =>
  b.createdAt - a.createdAt
const limited = <T>(items: readonly T[], limit: number | undefined): T[] => items.slice(0, limit ?? items.length)

/** Ids: the app's name. */
export const appListing = (context: ViewContext): Listing<AppView> => ({
  all: () =>
    context.state.apps
      .all()
      .sort(byName)
      .map((app) => appView(context, app)),
  get: (id) => mapped(context.state.apps.get(id), (app) => appView(context, app)),
  touched: appsTouched,
})

function appsTouched(change: SeenChange): readonly string[] {
  const { kind, id } = change
  if (kind === 'apps') return [id]
  if (kind === 'pools' || kind === 'releases') return [id.slice(0, id.indexOf('/'))]
  if (kind !== 'instances' && kind !== 'statuses') return none
  const name = parseInstanceId(id)
  return name === undefined ? none : [name.app]
}

/** Ids: `v7`. */
export const releaseListing = (context: ViewContext, app: string): Listing<ReleaseView> => ({
  all: () =>
    context.state.releases
      .byApp(app)
      .sort((a, b) => releaseNumber(b.id) - releaseNumber(a.id))
      .map((release) => releaseView(context, release)),
  get: (id) => mapped(context.state.releases.get(releaseId(app, id)), (release) => releaseView(context, release)),
  touched: (change) => releasesTouched(context.state, app, change),
})

/** A pool that moves to another release changes where both are said to run. */
function releasesTouched(state: State, app: string, change: SeenChange): readonly string[] {
  if (!change.id.startsWith(`${app}/`)) return none
  if (change.kind === 'releases') return [change.id.slice(app.length + 1)]
  if (change.kind !== 'pools') return none
  if (!('before' in change) && !('after' in change)) return state.releases.byApp(app).map((release) => release.id)
  const [before, after] = [change.before?.release, change.after?.release]
  return before === after ? none : [before, after].filter((id) => id !== undefined)
}

export interface BuildFilter {
  readonly app?: string | undefined
  readonly limit?: number | undefined
}

/** Ids: the build's. */
export const buildListing = ({ state }: ViewContext, filter: BuildFilter): Listing<BuildView> => ({
  all: () => {
    const builds = filter.app === undefined ? state.builds.all() : state.builds.byApp(filter.app)
    const ahead = buildsAhead(state)
    return limited(builds.sort(newestFirst), filter.limit).map((build) => buildView(build, ahead.get(build.id)))
  },
  get: (id) => {
    const build = state.builds.get(id)
    if (build === undefined || (filter.app !== undefined && build.app !== filter.app)) return undefined
    return buildView(build, buildsAhead(state).get(id))
  },
  touched: only('builds'),
})

export interface RolloutFilter extends BuildFilter {
  readonly pool?: string | undefined
}

/** Ids: the rollout's. */
export const rolloutListing = ({ state }: ViewContext, filter: RolloutFilter): Listing<RolloutView> => {
  const fits = (rollout: { readonly app: string; readonly pool: string }): boolean =>
    (filter.app === undefined || rollout.app === filter.app) &&
    (filter.pool === undefined || rollout.pool === filter.pool)
  return {
    all: () => limited(state.rollouts.all().filter(fits).sort(newestFirst), filter.limit).map(rolloutView),
    get: (id) => {
      const rollout = state.rollouts.get(id)
      return rollout === undefined || !fits(rollout) ? undefined : rolloutView(rollout)
    },
    touched: only('rollouts'),
  }
}

/** Ids: the node's name. */
export const nodeListing = (context: ViewContext): Listing<NodeView> => ({
  all: () =>
    context.state.nodes
      .all()
      .sort(byName)
      .map((node: Node) => nodeView(context, node)),
  get: (id) => mapped(context.state.nodes.get(id), (node) => nodeView(context, node)),
  touched: (change) => nodesTouched(context.state, change),
})

function nodesTouched(state: State, change: SeenChange): Iterable<string> {
  if (change.kind === 'nodes' || change.kind === 'nodeStatuses' || change.kind === 'nodeConfigs') return [change.id]
  if (change.kind !== 'instances' && change.kind !== 'statuses') return none
  if (!('before' in change) && !('after' in change)) return state.nodes.ids()
  return new Set([change.before?.node, change.after?.node].filter((node) => node !== undefined))
}

/** Ids: `<environment or _>/<name>`. */
export const secretListing = ({ state }: ViewContext, app: string): Listing<SecretView> => ({
  all: () =>
    state.secrets
      .byApp(app)
      .sort((a, b) => byName(a, b) || (a.environment ?? '').localeCompare(b.environment ?? ''))
      .map(secretView),
  get: (id) => mapped(state.secrets.get(`${app}/${id}`), secretView),
  touched: (change) =>
    change.kind === 'secrets' && change.id.startsWith(`${app}/`) ? [change.id.slice(app.length + 1)] : none,
})

/** Ids: the token's name. */
export const tokenListing = ({ state }: ViewContext): Listing<TokenView> => recordListing(state, 'tokens', tokenView)

/** Ids: the registry's host. */
export const registryListing = ({ state }: ViewContext): Listing<RegistryView> =>
  recordListing(state, 'registries', registryView)

/** Ids: the certificate's name. One that comes or goes may take names of others, or leave them. */
export const certificateListing = ({ state }: ViewContext): Listing<CertificateView> => {
  const sharing = (hosts: readonly string[]): CertificateRecord[] =>
    state.certificates.all().filter((each) => each.hosts.some((host) => hosts.includes(host)))
  return {
    all: () => {
      const serving = servingCertificates(state.certificates.all(), Date.now())
      const sorted = state.certificates.all().sort(byName)
      return sorted.map((each) => certificateView(each, serving))
    },
    get: (id) =>
      mapped(state.certificates.get(id), (each) =>
        certificateView(each, servingCertificates(sharing(each.hosts), Date.now())),
      ),
    touched: (change) => {
      if (change.kind !== 'certificates') return none
      if (!('before' in change)) return [change.id, ...state.certificates.all().map(({ name }) => name)]
      const hosts = [change.before, change.after].flatMap((each) => each?.hosts ?? [])
      return [change.id, ...sharing(hosts).map(({ name }) => name)]
    },
  }
}

const defaultEventLimit = 100

/** Ids: the event's. What retention removes is not told. */
export const eventListing = ({ state }: ViewContext, filter: BuildFilter): Listing<EventView> => ({
  all: () => {
    const events = [...state.events.values()].filter(
      (event) => filter.app === undefined || event.subject.app === filter.app,
    )
    const newest = events.sort((a, b) => (a.id < b.id ? 1 : -1))
    return limited(newest, filter.limit ?? defaultEventLimit).map(eventView)
  },
  get: (id) => {
    const event = state.events.get(id)
    return event === undefined || (filter.app !== undefined && event.subject.app !== filter.app)
      ? undefined
      : eventView(event)
  },
  touched: only('events'),
  appendOnly: true,
})

const mapped = <T, V>(record: T | undefined, view: (record: T) => V): V | undefined =>
  record === undefined ? undefined : view(record)
