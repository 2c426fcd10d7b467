import type { CoreMapView } from '@berth/api/planning-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { Banner } from '../components/layout.tsx'
import { Skeleton } from '../components/table.tsx'
import { formatCores, formatPercent } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { Link } from '../router/link.tsx'
import { usePathname, useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { CoreGrid } from './core-grid.tsx'
import { paintApps, shortName, summarize } from './core-model.ts'
import { CoreTable } from './core-table.tsx'
import '../styles/cores.css'

const everyMs = 2_000

/** Who owns which core of a node, and how busy each is at this moment. */
export default function CoreSection({ node }: { readonly node: string }) {
  const { cores: text } = useText()
  const { value, error } = usePolled('getCoreMap', { params: { name: node } }, everyMs)
  const [form] = useQueryValue('cores')
  return (
    <section className="section" aria-label={text.title}>
      <div className="section-head">
        <h2>{text.title}</h2>
        {value !== undefined && <Summary map={value} />}
        {value !== undefined && value.cores.length > 0 && <FormChoice table={form === 'table'} />}
      </div>
      {value?.overCommitted && <Banner tone="bad" title={text.overCommitted} lines={[text.overCommittedHint]} />}
      <div className={form === 'table' && value !== undefined ? 'panel panel-flush' : 'panel'}>
        {value === undefined && error === undefined && <Skeleton rows={2} />}
        {value === undefined && error !== undefined && <p className="muted">{messageOf(error)}</p>}
        {value !== undefined && <CoreMap map={value} table={form === 'table'} />}
      </div>
    </section>
  )
}

function CoreMap({ map, table }: { readonly map: CoreMapView; readonly table: boolean }) {
  const { cores: text } = useText()
  const summary = summarize(map.cores)
  const paints = paintApps(summary.apps.map(({ app }) => app))
  if (map.cores.length === 0) return <p className="muted">{text.none}</p>
  if (table) return <CoreTable map={map} />
  return (
    <div className="cores">
      {map.cpu === 'shared' && <p className="muted">{text.shared}</p>}
      <CoreGrid map={map} summary={summary} paints={paints} />
      <HeldBack map={map} />
      {map.cpu === 'bound' && <Unbound instances={map.unbound} />}
    </div>
  )
}

function Summary({ map: { cores, cpu, group, speedMilli } }: { readonly map: CoreMapView }) {
  const { cores: text } = useText()
  const { states, busyMilli } = summarize(cores)
  const kinds = (['whole', 'shared', 'free', 'conflict'] as const).filter((each) => states[each] > 0)
  const parts = [
    text.count(cores.filter(({ present }) => present).length),
    ...(cpu === 'bound' ? kinds.map((each) => `${states[each]} ${text.states[each]}`) : []),
    ...(busyMilli === undefined ? [] : [text.busy(formatPercent(busyMilli, 1000))]),
    ...(speedMilli === 1000 ? [] : [text.speed(String(speedMilli / 1000))]),
  ]
  return (
    <span className="muted cores-summary">
      <Link to={path('groups', group)} className="chip">
        {group}
      </Link>{' '}
      {parts.join(' · ')}
    </span>
  )
}

/** The choice is in the address: a colleague sees the same. */
function FormChoice({ table }: { readonly table: boolean }) {
  const { cores: text } = useText()
  const pathname = usePathname()
  const link = (to: string, label: string, here: boolean) => (
    <Link to={to} className="choice-button" {...(here ? { 'aria-current': 'true' } : {})}>
      {label}
    </Link>
  )
  return (
    <nav className="section-aside choices" aria-label={text.show}>
      {link(pathname, text.map, !table)}
      {link(`${pathname}?cores=table`, text.table, table)}
    </nav>
  )
}

/** Those that would use more than the kernel gives them. */
function HeldBack({ map: { throttled, starving = [] } }: { readonly map: CoreMapView }) {
  const { cores: text } = useText()
  if (throttled.length === 0 && starving.length === 0) return null
  return (
    <ul className="cores-held">
      {starving.map((instance) => (
        <li key={`s ${instance}`}>
          <span className="core-flag core-flag-starving" aria-hidden="true" />
          <span>
            <InstanceLink instance={instance} /> {text.starving}
          </span>
        </li>
      ))}
      {throttled.map(({ instance, milli }) => (
        <li key={`t ${instance}`}>
          <span className="core-flag core-flag-throttled" aria-hidden="true" />
          <span>
            <InstanceLink instance={instance} /> {text.throttled(formatCores(milli))}
          </span>
        </li>
      ))}
    </ul>
  )
}

const mostUnbound = 24

function Unbound({ instances }: { readonly instances: readonly string[] }) {
  const { cores: text } = useText()
  if (instances.length === 0) return null
  return (
    <div className="cores-unbound">
      <span className="muted">{text.unbound}:</span>
      <span className="chips">
        {instances.slice(0, mostUnbound).map((instance) => (
          <InstanceLink key={instance} instance={instance} className="chip" />
        ))}
        {instances.length > mostUnbound && (
          <span className="muted small">{text.more(instances.length - mostUnbound)}</span>
        )}
      </span>
    </div>
  )
}

function InstanceLink({ instance, className = '' }: { readonly instance: string; readonly className?: string }) {
  return (
    <Link to={path('instances', instance)} className={className} title={instance}>
      {instance.split('.').slice(0, 2).join('/')}/{shortName(instance)}
    </Link>
  )
}
