import type { AppView } from '@berth/api/app-resources'
import type { RolloutView } from '@berth/api/deploy-resources'
import type { NodeView } from '@berth/api/node-resources'
import { useState } from 'react'
import { NewAppDialog } from '../actions/new-app-dialog.tsx'
import { useNow } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Page } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Filter } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { worstApp } from '../live/app-health.ts'
import { attentionOf } from '../live/attention.ts'
import { useSession } from '../live/session.tsx'
import { isOver, poolState } from '../live/states.ts'
import { useGlance } from '../live/use-glance.ts'
import { Link } from '../router/link.tsx'
import { useQueryValue } from '../router/location.ts'
import { useList } from '../store/context.tsx'
import { AppLines } from './app-lines.tsx'
import { AttentionList } from './attention-list.tsx'
import { RolloutLines } from './rollout-lines.tsx'

const shows = ['all', 'problems', 'moving'] as const
type Show = (typeof shows)[number]

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

export function AppsPage() {
  const text = useText()
  const apps = useList('listApps', {})
  const nodes = useList('listNodes', {})
  const rollouts = useList('listRollouts', { query: { limit: 100 } })
  const builds = useGlance('listBuilds', { query: { limit: 50 } })
  const certificates = useGlance('listCertificates', {})
  const approvals = useGlance('listApprovals', {})
  const crons = useGlance('listCrons', {})
  const { problems } = useSession()
  const now = useNow(60_000)
  const [creating, setCreating] = useState(false)
  const attention = attentionOf(
    text.attention,
    {
      apps: apps.items,
      nodes: nodes.items,
      rollouts: rollouts.items,
      builds,
      certificates,
      approvals,
      crons,
      server: problems ?? [],
    },
    now,
  )
  const known = apps.state === 'live' && nodes.state === 'live'
  const add = (
    <RoleButton needs="deployer" icon="plus" onClick={() => setCreating(true)}>
      {text.newApp.title}
    </RoleButton>
  )
  return (
    <Page title={text.apps.title} actions={apps.items.length > 0 && add}>
      {apps.items.length > 0 && <ClusterFigures apps={apps.items} nodes={nodes.items} />}
      {known && attention.length > 0 && <AttentionList items={attention} />}
      {known && attention.length === 0 && apps.items.length > 0 && <AllWell />}
      <RolloutLines rollouts={rollouts.items.filter((rollout) => !isOver(rollout))} />
      <Listing of={apps} empty={<NoApps add={add} nodes={nodes.items} />}>
        {(items) => <AllApps apps={items} rollouts={rollouts.items} />}
      </Listing>
      {creating && <NewAppDialog onClose={() => setCreating(false)} />}
    </Page>
  )
}

function AllWell() {
  const { attention: text } = useText()
  return (
    <p className="all-well">
      <Mark tone="ok" />
      {text.none}
    </p>
  )
}

interface AllAppsProps {
  readonly apps: readonly AppView[]
  readonly rollouts: readonly RolloutView[]
}

function AllApps({ apps, rollouts }: AllAppsProps) {
  const { apps: text } = useText()
  const [filter, setFilter] = useQueryValue('filter')
  const [chosen, setChosen] = useQueryValue('show')
  const show = shows.find((each) => each === chosen) ?? 'all'
  const counts = Object.fromEntries(shows.map((each) => [each, apps.filter((app) => fits(app, each)).length]))
  const matching = apps.filter((app) => fits(app, show) && matches(app, filter.trim().toLowerCase()))
  return (
    <section className="section" aria-label={text.title}>
      <div className="section-head">
        <fieldset className="choices" aria-label={text.show}>
          {shows.map((each) => (
            <button
              key={each}
              type="button"
              className="choice-button"
              aria-pressed={show === each}
              onClick={() => setChosen(each === 'all' ? '' : each)}
            >
              {text.shows[each]} <span className="number">{counts[each]}</span>
            </button>
          ))}
        </fieldset>
        <span className="section-aside">
          <Filter value={filter} onChange={setFilter} label={text.filter} />
        </span>
      </div>
      {matching.length === 0 ? (
        <div className="panel">
          <Empty icon="search" title={text.noMatch} />
        </div>
      ) : (
        <AppLines apps={matching.toSorted(worstApp)} rollouts={rollouts} />
      )}
    </section>
  )
}

function fits(app: AppView, show: Show): boolean {
  if (show === 'all') return true
  const labels = app.pools.map((pool) => poolState(pool).label)
  if (show === 'moving') return labels.includes('rollout') || labels.includes('removing')
  return labels.includes('down') || labels.includes('degraded')
}

const matches = ({ name, repository = '', pools }: AppView, wanted: string): boolean =>
  [name, repository, ...pools.flatMap((pool) => pool.urls)].some((each) => each.toLowerCase().includes(wanted))

interface NoAppsProps {
  readonly add: React.ReactNode
  readonly nodes: readonly NodeView[]
}

function NoApps({ add, nodes }: NoAppsProps) {
  const { apps: text, nodes: nodeText } = useText()
  return (
    <div className="panel">
      <Empty icon="apps" title={text.empty} hint={text.emptyHint}>
        <pre className="command">
          cd your-repository{'\n'}berth init{'\n'}berth deploy
        </pre>
        <span className="muted">{text.emptyOr}</span>
        {add}
        {nodes.length === 0 && (
          <Link to="/nodes" className="small">
            {nodeText.empty}: {nodeText.emptyHint}
          </Link>
        )}
      </Empty>
    </div>
  )
}

interface Figure {
  readonly name: string
  readonly value: string
  readonly of: string
  /** 0 to 1; drawn as a line. */
  readonly part: number
  /** Full is good: what is missing to it is drawn as missing. */
  readonly fullIsGood?: true
}

function ClusterFigures({ apps, nodes }: { readonly apps: readonly AppView[]; readonly nodes: readonly NodeView[] }) {
  const { apps: text } = useText()
  const services = apps.flatMap((app) =>
    app.pools.flatMap((pool) => pool.entrypoints.filter((each) => each.type === 'service')),
  )
  const ready = sum(services.map((each) => Math.min(each.ready, each.wanted)))
  const wanted = sum(services.map((each) => each.wanted))
  const online = nodes.filter((node) => node.online).length
  const given = (read: (node: NodeView) => number): number => sum(nodes.map(read))
  const figures: readonly Figure[] = [
    {
      name: text.instancesReady,
      value: String(ready),
      of: String(wanted),
      part: wanted === 0 ? 1 : ready / wanted,
      fullIsGood: true,
    },
    {
      name: text.nodesOnline,
      value: String(online),
      of: String(nodes.length),
      part: nodes.length === 0 ? 1 : online / nodes.length,
      fullIsGood: true,
    },
    figureOf(
      text.cpuGiven,
      formatCores,
      given((node) => node.cpuGivenMilli),
      given((node) => node.cpuMilli),
    ),
    figureOf(
      text.memoryGiven,
      formatBytes,
      given((node) => node.memoryGivenBytes),
      given((node) => node.memoryBytes),
    ),
  ]
  return (
    <dl className="figures" aria-label={text.cluster}>
      {figures.map((figure) => (
        <div key={figure.name} className="figure">
          <dt>{figure.name}</dt>
          <dd>
            {figure.value} <span className="muted">/ {figure.of}</span>
          </dd>
          <span className={figure.fullIsGood ? 'figure-track figure-short' : 'figure-track'} aria-hidden="true">
            <span className={`meter-value meter-${toneOf(figure)}`} style={{ width: `${figure.part * 100}%` }} />
          </span>
        </div>
      ))}
    </dl>
  )
}

const figureOf = (name: string, format: (value: number) => string, value: number, max: number): Figure => ({
  name,
  value: format(value),
  of: format(max),
  part: max <= 0 ? 0 : Math.min(1, value / max),
})

function toneOf({ part, fullIsGood }: Figure): 'good' | 'ok' | 'warn' | 'bad' {
  if (fullIsGood) return 'good'
  return part > 0.95 ? 'bad' : part > 0.8 ? 'warn' : 'ok'
}
