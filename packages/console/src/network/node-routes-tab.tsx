import type { NodeView } from '@berth/api/node-resources'
import type { NodeRoutesView, RoutingView } from '@berth/api/routing-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Banner, Empty, Facts, Problem, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Filter, NodeLink } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Skeleton, Table } from '../components/table.tsx'
import { formatDuration } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { useQueryValue } from '../router/location.ts'
import { useList } from '../store/context.tsx'
import { AllSessions } from './all-sessions.tsx'
import { Asked } from './asked.tsx'

const settingsMs = 10_000
const nodeMs = 8_000

/** How nodes get to each other's instances. */
export function NodeRoutesTab() {
  const [asked, setAsked] = useState(0)
  const [filter, setFilter] = useQueryValue('filter')
  const { nodes: text } = useText()
  const { value, error, at } = usePolled('getRouting', {}, settingsMs, asked)
  if (value === undefined) return error === undefined ? <Skeleton /> : <Problem text={messageOf(error)} />
  return (
    <>
      <Settings routing={value} />
      {value.peers.length > 0 && <Routers routing={value} />}
      <div className="list-bar">
        <Filter value={filter} onChange={setFilter} label={text.filter} />
      </div>
      {value.mode === 'bgp' && <AllSessions filter={filter.trim().toLowerCase()} />}
      <Nodes routing={value} filter={filter} />
      <Asked at={at} everyMs={settingsMs} onAsk={() => setAsked(asked + 1)} />
    </>
  )
}

function Settings({ routing }: { readonly routing: RoutingView }) {
  const {
    network: { routes: text },
  } = useText()
  const { mode, as, sites, mesh, meshUpTo, reflectors, reflectorsOf, without } = routing
  const own = Object.entries(sites).map(([site, number]) => `${site} ${number}`)
  const chosen = Object.entries(reflectorsOf).map(
    ([site, nodes]) => `${nodes.join(', ')}${site === '' ? '' : ` (${site})`}`,
  )
  return (
    <>
      {without.length > 0 && <Banner tone="warn" title={text.without} lines={[without.join(', ')]} />}
      <Section>
        <Facts
          facts={[
            [text.mode, text.modes[mode]],
            [text.as, [String(as), ...own].join(', ')],
            [text.sessions, mesh ? text.mesh(meshUpTo) : text.reflected(reflectors)],
            [text.reflectors, chosen.join('; ')],
          ]}
        />
      </Section>
    </>
  )
}

type Router = RoutingView['peers'][number]

function Routers({ routing }: { readonly routing: RoutingView }) {
  const { network } = useText()
  const { routes: text } = network
  const columns: readonly Column<Router>[] = [
    { key: 'name', title: text.router, lead: true, cell: ({ name }) => name },
    { key: 'address', title: text.address, cell: ({ address }) => <code>{address}</code> },
    { key: 'as', title: 'AS', cell: ({ as }) => <code>{as}</code> },
    {
      key: 'nodes',
      title: text.speaksWith,
      cell: ({ label }) => (label === undefined ? text.allNodes : <code>{`${label.name}=${label.value}`}</code>),
    },
    { key: 'password', title: text.password, cell: ({ hasPassword }) => (hasPassword ? text.yes : text.no) },
  ]
  return (
    <Section title={text.routers} flush>
      <Table label={text.routers} columns={columns} rows={routing.peers} rowKey={({ name }) => name} />
    </Section>
  )
}

function Nodes({ routing, filter }: { readonly routing: RoutingView; readonly filter: string }) {
  const {
    network: { routes: text },
    nodes: nodeText,
  } = useText()
  const nodes = useList('listNodes', {})
  const [open, setOpen] = useState<string>()
  const wanted = filter.trim().toLowerCase()
  const reflectors = new Set(Object.values(routing.reflectorsOf).flat())
  const columns: readonly Column<NodeView>[] = [
    { key: 'name', title: text.node, lead: true, cell: ({ name }) => <NodeLink node={name} /> },
    { key: 'block', title: text.block, cell: ({ block }) => <code>{block}</code> },
    { key: 'as', title: 'AS', cell: ({ labels }) => <code>{routing.sites[labels.site ?? ''] ?? routing.as}</code> },
    {
      key: 'role',
      title: text.role,
      cell: ({ name }) => (reflectors.has(name) ? text.reflector : <span className="muted">–</span>),
    },
    { key: 'sessions', title: text.sessions, cell: (node) => <SessionCount node={node} /> },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: ({ name, online }) => (
        <Button
          small
          disabled={!online}
          aria-expanded={open === name}
          aria-label={text.showOf(name)}
          onClick={() => setOpen(open === name ? undefined : name)}
        >
          {text.show}
        </Button>
      ),
    },
  ]
  return (
    <>
      {open !== undefined && <NodeRoutes key={open} node={open} onClose={() => setOpen(undefined)} />}
      <Section title={text.nodes} flush>
        <Listing of={nodes} empty={<Empty icon="nodes" title={nodeText.empty} />}>
          {(items) => (
            <Table
              label={text.nodes}
              columns={columns}
              rows={items
                .filter(({ name, block, labels }) =>
                  [name, block, labels.site ?? ''].some((each) => each.includes(wanted)),
                )
                .toSorted((a, b) => Number(isWell(a)) - Number(isWell(b)) || a.name.localeCompare(b.name))}
              rowKey={({ name }) => name}
              tone={(node) => (isWell(node) ? undefined : 'bad')}
            />
          )}
        </Listing>
      </Section>
    </>
  )
}

const isWell = ({ online, routes }: NodeView): boolean =>
  online && (routes === undefined || routes.up === routes.sessions)

function SessionCount({ node }: { readonly node: NodeView }) {
  const {
    network: { routes: text },
    state,
  } = useText()
  if (!node.online)
    return (
      <span className="status tone-bad">
        <Mark tone="bad" />
        {state.offline}
      </span>
    )
  if (node.routes === undefined) return <span className="muted">{text.none}</span>
  const { up, sessions } = node.routes
  const tone = up === sessions ? 'ok' : 'bad'
  return (
    <span className={`status tone-${tone}`}>
      <Mark tone={tone} />
      {text.upOf(up, sessions)}
    </span>
  )
}

type Session = NodeRoutesView['sessions'][number]
type Route = NodeRoutesView['routes'][number]

/** What one node says; it is asked while this is open. */
function NodeRoutes({ node, onClose }: { readonly node: string; readonly onClose: () => void }) {
  const { network, common } = useText()
  const { routes: text } = network
  const [asked, setAsked] = useState(0)
  const { value, error, at } = usePolled('getNodeRoutes', { params: { name: node } }, nodeMs, asked)
  const sessions: readonly Column<Session>[] = [
    {
      key: 'with',
      title: text.with,
      lead: true,
      cell: (each) => (each.with === 'node' ? <NodeLink node={each.name} /> : `${text.router} ${each.name}`),
    },
    { key: 'address', title: text.address, cell: ({ address }) => <code>{address}</code> },
    { key: 'as', title: 'AS', cell: ({ as }) => <code>{as}</code> },
    {
      key: 'state',
      title: text.state,
      cell: ({ up, since, why }) => (
        <span className={`status tone-${up ? 'ok' : 'bad'}`}>
          <Mark tone={up ? 'ok' : 'bad'} />
          {up ? text.up : text.down} {formatDuration(Date.now() - since)}
          {why !== undefined && <span className="muted">{why}</span>}
        </span>
      ),
    },
    {
      key: 'learned',
      title: text.learned,
      align: 'right',
      cell: ({ learned }) => <span className="number">{learned}</span>,
    },
  ]
  const routes: readonly Column<Route>[] = [
    { key: 'block', title: text.block, lead: true, cell: ({ block }) => <code>{block}</code> },
    { key: 'owner', title: text.to, cell: ({ owner }) => <NodeLink node={owner} /> },
    { key: 'kind', title: text.kind, cell: ({ kind }) => kind },
    {
      key: 'via',
      title: text.via,
      cell: ({ reachable, via = '', device = '' }) =>
        reachable ? <code>{`${via} ${device}`.trim()}</code> : <span className="warn-text">{text.unreachable}</span>,
    },
    { key: 'from', title: text.from, cell: ({ from }) => from ?? <span className="muted">–</span> },
  ]
  return (
    <Section
      title={text.of(node)}
      flush
      aside={
        <Button small onClick={onClose}>
          {common.close}
        </Button>
      }
    >
      {value === undefined && (error === undefined ? <Skeleton rows={2} /> : <Problem text={messageOf(error)} />)}
      {value !== undefined && value.mode === 'bgp' && !value.running && <Banner tone="bad" title={text.notRunning} />}
      {value !== undefined && value.sessions.length > 0 && (
        <Table
          label={text.sessions}
          columns={sessions}
          rows={value.sessions}
          rowKey={(each) => `${each.with} ${each.name}`}
        />
      )}
      {value !== undefined && (
        <Table label={text.of(node)} columns={routes} rows={value.routes} rowKey={({ block }) => block} />
      )}
      <div className="quiet-line">
        <Asked at={at} everyMs={nodeMs} onAsk={() => setAsked(asked + 1)} />
      </div>
    </Section>
  )
}
