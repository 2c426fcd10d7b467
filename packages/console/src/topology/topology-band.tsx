import { type CSSProperties, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Mark } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { FlowText, Generations, RouteProblem, targetName, targetPath } from './flow-text.tsx'
import { type Band, type Flow, flowWidth, type InstancePart, type RoutePart } from './topology-model.ts'

const rowHeight = 46
/** Of routes and of instances, unless it is open. */
const compactRows = 5
const sliceRows = 50
/** More rows than that begin beside their target, which would be far below where it was opened otherwise. */
const middleRows = 12

interface TopologyBandProps {
  readonly band: Band
  readonly isOpen: boolean
  readonly onToggle: () => void
}

/** One target with all that leads to it and all that is behind it. */
export function TopologyBand({ band, isOpen, onToggle }: TopologyBandProps) {
  const { topology: text, units } = useText()
  const [more, setMore] = useState(1)
  const most = isOpen ? more * sliceRows : compactRows
  const routes = band.routes.slice(0, most)
  const instances = isOpen || band.instances.length <= compactRows ? band.instances.slice(0, most) : []
  const isFolded = instances.length === 0 && band.instances.length > 0
  const hasMore = band.routes.length > compactRows || band.instances.length > compactRows
  const left: Flow[] = [...routes]
  const right: Flow[] = isFolded ? [band] : [...instances]
  const rest = isOpen ? 0 : band.routes.length - routes.length
  const rows = Math.max(left.length + Math.min(rest, 1), right.length)
  const name = targetName(band)
  return (
    <li className={`topology-band tone-of-${band.tone}${rows > middleRows ? ' topology-tall' : ''}`}>
      <ul className="topology-side" aria-label={text.routesOf(name)}>
        {routes.map((route) => (
          <RouteRow key={route.url} route={route} band={band.key} />
        ))}
        {rest > 0 && <li className="topology-row topology-rest muted small">{text.more(rest)}</li>}
      </ul>
      <Lines flows={left} rest={Math.min(rest, 1)} rows={rows} side="left" />
      <div className="topology-target" style={flowStyle(band)}>
        <div className="topology-line">
          <Mark tone={band.tone} />
          {targetPath(band) === undefined ? (
            <span className="topology-name">{name}</span>
          ) : (
            <Link to={targetPath(band) ?? ''} className="topology-name" data-part={band.key} title={name}>
              {name}
            </Link>
          )}
        </div>
        <span className="topology-small">
          <FlowText flow={band} /> · {text.ready(band.ready, band.wanted)}
        </span>
        <span className="topology-small">
          <Generations band={band} />
        </span>
        {hasMore && (
          <button
            type="button"
            className="topology-toggle"
            data-part={`${band.key} toggle`}
            aria-expanded={isOpen}
            aria-label={`${isOpen ? text.fold : text.unfold} ${name}`}
            onClick={onToggle}
          >
            {isOpen ? text.fold : text.unfold}
          </button>
        )}
      </div>
      <Lines flows={right} rest={0} rows={rows} side="right" />
      <ul className="topology-side" aria-label={text.instancesOf(name)}>
        {isFolded && <Folded band={band} />}
        {instances.map((instance) => (
          <InstanceRow key={instance.id} instance={instance} band={band} />
        ))}
        {band.instances.length === 0 && <li className="topology-row muted small">{text.nobody}</li>}
      </ul>
      {isOpen && Math.max(band.routes.length, band.instances.length) > most && (
        <p className="topology-more">
          <Button small onClick={() => setMore(more + 1)} aria-label={text.moreOf(name)}>
            {text.moreOf(units.instances(band.instances.length))}
          </Button>
        </p>
      )}
    </li>
  )
}

/** On narrow screens, where there are no lines, the bar before a row is as wide as its line would be. */
const flowStyle = (flow: Flow): CSSProperties => ({ ['--flow' as string]: `${flowWidth(flow)}px` })

const toneOf = ({ failedPerSecond }: Flow, tone: Tone = 'ok'): string =>
  failedPerSecond > 0 || tone === 'bad' ? 'topology-bad' : ''

function RouteRow({ route, band }: { readonly route: RoutePart; readonly band: string }) {
  const { topology: text } = useText()
  return (
    <li
      className={`topology-row ${toneOf(route, route.problem === 'no-members' ? 'bad' : 'ok')}`}
      style={flowStyle(route)}
    >
      {route.isPort ? (
        <code className="topology-name" title={route.url}>
          {route.name}
        </code>
      ) : (
        <a
          href={route.url}
          target="_blank"
          rel="noreferrer"
          className="topology-name"
          title={route.url}
          data-part={`${band} ${route.url}`}
        >
          {route.name}
        </a>
      )}
      <span className="topology-small">
        <RouteProblem problem={route.problem} /> {route.isPort ? text.uncounted : <FlowText flow={route} />}
      </span>
    </li>
  )
}

function InstanceRow({ instance, band }: { readonly instance: InstancePart; readonly band: Band }) {
  const { state } = useText()
  const { id, name, node, site, shown } = instance
  return (
    <li className={`topology-row ${toneOf(instance, shown.tone)}`} style={flowStyle(instance)}>
      <span className="topology-line">
        <Mark tone={shown.tone} />
        {band.external === undefined ? (
          <Link to={path('instances', id)} className="topology-name" data-part={id} title={id}>
            {name}
          </Link>
        ) : (
          <code className="topology-name">{name}</code>
        )}
        <span className="muted small">
          {shown.tone === 'ok' ? <span className="visually-hidden">{state[shown.label]}</span> : state[shown.label]}
        </span>
      </span>
      <span className="topology-small">
        <FlowText flow={instance} />
        {node !== undefined && ` · ${node}${site === undefined ? '' : ` (${site})`}`}
      </span>
    </li>
  )
}

/** Many instances in one line: how many of them are in which state. */
function Folded({ band }: { readonly band: Band }) {
  const { units, state } = useText()
  const states = Map.groupBy(band.instances, ({ shown }) => shown.label)
  return (
    <li className="topology-row topology-rest" style={flowStyle(band)}>
      <span>{units.instances(band.instances.length)}</span>
      <span className="topology-small">
        {[...states].map(([label, own]) => (
          <span key={label} className="topology-state">
            <Mark tone={own[0]?.shown.tone ?? 'off'} />
            {state[label]} {own.length}
          </span>
        ))}
      </span>
    </li>
  )
}

interface LinesProps {
  readonly flows: readonly Flow[]
  /** Rows below them without a line. */
  readonly rest: number
  readonly rows: number
  readonly side: 'left' | 'right'
}

/** From each row to the middle of the band, or from there. Who does not see them reads the same numbers in the rows. */
function Lines({ flows, rest, rows, side }: LinesProps) {
  const height = Math.max(rows, 2) * rowHeight
  const isTall = rows > middleRows
  const middle = isTall ? rowHeight : height / 2
  const from = isTall ? 0 : (height - (flows.length + rest) * rowHeight) / 2
  return (
    <svg
      className="topology-lines"
      viewBox={`0 0 100 ${height}`}
      style={{ height }}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {flows.map((flow, index) => {
        const at = from + (index + 0.5) * rowHeight
        const [start, end] = side === 'left' ? [at, middle] : [middle, at]
        return (
          <path
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is known by its row
            key={index}
            className={`topology-flow ${toneOf(flow)}${flow.perSecond === 0 ? ' topology-still' : ''}`}
            style={{ strokeWidth: flowWidth(flow) }}
            d={`M0 ${start}C45 ${start} 55 ${end} 100 ${end}`}
          />
        )
      })}
    </svg>
  )
}
