import type { NodeRoutesView, RoutingView } from '@berth/api'
import { formatAge } from '../output/format.ts'
import type { ListingView } from '../output/print.ts'
import { formatTable } from '../output/table.ts'

const wayText: Readonly<Record<RoutingView['mode'], string>> = {
  static: 'static: every node is in one layer 2 with the others',
  bgp: 'bgp: learned from each other',
  cloud: 'cloud: entries of a provider’s route table',
}

export function routingText(view: RoutingView): string {
  const { mode, as, sites, peers, meshUpTo, reflectors, mesh, without, searchDomains, consulDomain } = view
  const numbers = [String(as), ...Object.entries(sites).map(([site, number]) => `${site} ${number}`)]
  const rows: (readonly [string, string | undefined])[] = [
    ['routes', wayText[mode]],
    ['AS', numbers.join(', ')],
    [
      'sessions',
      mesh
        ? `every node with every other, up to ${meshUpTo}`
        : `with ${reflectors} reflectors a site, above ${meshUpTo} nodes`,
    ],
    ['reflectors', reflectorsText(view)],
    ['tables', view.tables.map(tableText).join('; ') || undefined],
    ['short names', searchDomains.length === 0 ? undefined : `of the app, then in ${searchDomains.join(', ')}`],
    ['Consul', consulDomain === undefined ? undefined : `its names are answered below ${consulDomain}`],
    ['no address', without.length === 0 ? undefined : `${without.join(', ')}: nothing is routed to nodes without IPv4`],
  ]
  const lines = rows.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(12)}${value}`]))
  return peers.length === 0 ? lines.join('\n') : [...lines, '', peersText(peers)].join('\n')
}

const tableText = ({ name, url, site, inForce, pending, failed }: RoutingView['tables'][number]): string =>
  `${name} (${url}${site === undefined ? '' : `, site ${site}`}): ${inForce.length} of ${inForce.length + pending.length + failed.length} entries in force`

const reflectorsText = ({ reflectorsOf }: RoutingView): string | undefined =>
  Object.entries(reflectorsOf)
    .map(([site, nodes]) => `${nodes.join(', ')}${site === '' ? '' : ` (${site})`}`)
    .join('; ') || undefined

const peersText = (peers: RoutingView['peers']): string =>
  formatTable(
    ['router', 'address', 'as', 'nodes', 'password'],
    peers.map(({ name, address, as, label, hasPassword }) => [
      ...[name, address, String(as), label === undefined ? 'all' : `${label.name}=${label.value}`],
      hasPassword ? 'yes' : 'no',
    ]),
  )

export interface RouteRow {
  readonly node: string
  readonly block: string
  readonly to: string
  readonly kind: string
  readonly via: string
  readonly from: string
}

export const routeRows = (views: readonly NodeRoutesView[]): RouteRow[] =>
  views.flatMap(({ node, routes }) =>
    routes.map(({ block, owner = '', kind, from = '', reachable, via = '', device }) => ({
      ...{ node, block, to: owner, kind, from },
      via: reachable ? `${via}${device === undefined ? '' : ` on ${device}`}` : 'unreachable',
    })),
  )

export const routeListing: ListingView<RouteRow> = {
  headers: ['node', 'block', 'to', 'kind', 'via', 'learned from'],
  row: ({ node, block, to, kind, via, from }) => [node, block, to, kind, via, from],
  name: ({ node, block }) => `${node}/${block}`,
  empty: 'no routes: there is no other node',
}

export interface SessionRow {
  readonly node: string
  readonly with: string
  readonly address: string
  readonly as: number
  readonly up: boolean
  readonly since: number
  readonly learned: number
  readonly why: string
}

export const sessionRows = (views: readonly NodeRoutesView[]): SessionRow[] =>
  views.flatMap(({ node, sessions }) =>
    sessions.map(({ with: kind, name, address, as, up, since, learned, why = '' }) => ({
      ...{ node, with: kind === 'node' ? name : `router ${name}`, address, as, up, since, learned, why },
    })),
  )

export const sessionListing = (now: number): ListingView<SessionRow> => ({
  headers: ['node', 'with', 'address', 'as', 'state', 'for', 'blocks', 'why'],
  row: ({ node, with: other, address, as, up, since, learned, why }) => [
    ...[node, other, address, String(as), up ? 'up' : 'down', formatAge(now - since), String(learned), why],
  ],
  name: ({ node, with: other }) => `${node}/${other}`,
  empty: 'no sessions of BGP; see: berth net show',
})
