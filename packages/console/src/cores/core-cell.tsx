import type { CoreMapView } from '@berth/api/planning-resources'
import type { CSSProperties } from 'react'
import { formatPercent } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import {
  appOf,
  type Core,
  classOf,
  isDimmed,
  type Paint,
  type Part,
  partsOf,
  shortName,
  type sizeFor,
} from './core-model.ts'
import { partWords } from './core-words.ts'

/** What all cells of a map share. */
export interface CellContext {
  readonly cpu: CoreMapView['cpu']
  readonly size: ReturnType<typeof sizeFor>
  readonly paints: ReadonlyMap<string, Paint>
  /** The part that Tab reaches. */
  readonly stop: string | undefined
  /** Whose parts stand out. */
  readonly instance: string | undefined
  readonly app: string | undefined
  /** Of a darker shade. */
  readonly others: ReadonlySet<string>
  readonly starving: ReadonlySet<string>
  readonly throttled: ReadonlySet<string>
}

interface CoreCellProps {
  readonly core: Core
  readonly context: CellContext
}

export function CoreCell({ core, context }: CoreCellProps) {
  const { state, present, busyMilli } = core
  const kind = context.cpu === 'shared' && state === 'free' ? 'plain' : state
  return (
    <li
      className={`core core-${kind} ${present ? '' : 'core-absent'}`}
      style={{ '--busy': `${(busyMilli ?? 0) / 10}%` } as CSSProperties}
    >
      {context.size !== 'small' && (
        <span className="core-head" aria-hidden="true">
          <span>{core.core}</span>
          {context.size === 'large' && busyMilli !== undefined && (
            <span className="muted">{formatPercent(busyMilli, 1000)}</span>
          )}
        </span>
      )}
      <span className="core-parts">
        {partsOf(core).map((part) => (
          <CorePart key={part.key} part={part} context={context} />
        ))}
      </span>
      <span className="core-busy" aria-hidden="true">
        <span />
      </span>
    </li>
  )
}

/** From here on a name is told in a part, in thousandths of the core. */
const namedFrom = 450

function CorePart({ part, context }: { readonly part: Part; readonly context: CellContext }) {
  const { cores: text } = useText()
  const { key, instance, milli } = part
  const common = {
    'data-part': key,
    tabIndex: key === context.stop ? 0 : -1,
    style: { flexGrow: milli },
    'aria-label': partWords(text, context.cpu, part),
  }
  const dimmed = isDimmed(instance, context.app) ? 'part-dimmed' : ''
  if (instance === undefined) return <span {...common} role="img" className={`part part-free ${dimmed}`} />
  const paint = context.paints.get(appOf(instance))
  const same = instance === context.instance ? 'part-same' : ''
  const other = context.others.has(instance) ? 'part-other' : ''
  return (
    <Link
      {...common}
      to={path('instances', instance)}
      className={`part ${paint === undefined ? '' : classOf(paint)} ${other} ${dimmed} ${same}`}
    >
      {context.size === 'large' && milli >= namedFrom && <span className="part-name">{shortName(instance)}</span>}
      {context.starving.has(instance) && <span className="core-flag core-flag-starving" />}
      {context.throttled.has(instance) && <span className="core-flag core-flag-throttled" />}
    </Link>
  )
}
