import type { CoreMapView } from '@berth/api/planning-resources'
import { formatCores, formatPercent } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { appOf, classOf, type Paint, type Part } from './core-model.ts'
import { coreState } from './core-words.ts'

export interface TipPlace {
  readonly part: string
  readonly left: number
  readonly top: number
}

interface CoreTipProps {
  readonly map: CoreMapView
  readonly part: Part
  readonly place: TipPlace
  readonly paints: ReadonlyMap<string, Paint>
}

/** What is under the pointer or the focus. Screen readers have it from the part itself. */
export function CoreTip({ map, part, place, paints }: CoreTipProps) {
  const { cores: text } = useText()
  const { core } = part
  const given = core.owners.reduce((sum, each) => sum + each.milli, 0)
  return (
    <div className="core-tip" style={{ left: place.left, top: place.top }} aria-hidden="true">
      <p>
        <strong>{text.coreOf(core.core, coreState(text, map.cpu, core))}</strong>
        {core.busyMilli !== undefined && (
          <span className="muted"> {text.busy(formatPercent(core.busyMilli, 1000))}</span>
        )}
      </p>
      {core.owners.map(({ instance, milli }) => (
        <p key={instance} className={instance === part.instance ? 'core-tip-here' : ''}>
          <span className={`swatch ${paintClass(paints, instance)}`} />
          <span className="core-tip-name">{instance}</span>
          <span className="number">{formatCores(milli)}</span>
        </p>
      ))}
      {core.owners.length > 0 && given < 1000 && (
        <p className="muted">
          <span className="swatch swatch-free" />
          <span className="core-tip-name">{text.rest}</span>
          <span className="number">{formatCores(1000 - given)}</span>
        </p>
      )}
    </div>
  )
}

const paintClass = (paints: ReadonlyMap<string, Paint>, instance: string): string => {
  const paint = paints.get(appOf(instance))
  return paint === undefined ? '' : classOf(paint)
}
