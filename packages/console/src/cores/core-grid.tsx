import type { CoreMapView } from '@berth/api/planning-resources'
import { type KeyboardEvent, useRef, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { type CellContext, CoreCell } from './core-cell.tsx'
import { CoreLegend } from './core-legend.tsx'
import { type CoreSummary, everyOther, numaNodes, type Paint, partsOf, rangesOf, sizeFor } from './core-model.ts'
import { CoreTip, type TipPlace } from './core-tip.tsx'
import { nextPart } from './next-part.ts'

interface CoreGridProps {
  readonly map: CoreMapView
  readonly summary: CoreSummary
  readonly paints: ReadonlyMap<string, Paint>
}

/** A part is what one can stand on: what an instance owns of a core, or what nobody does. */
const partOf = (target: EventTarget): HTMLElement | null => (target as Element).closest<HTMLElement>('[data-part]')

/** One cell a core, NUMA nodes apart. One stop of Tab; arrow keys go on from there. */
export function CoreGrid({ map, summary, paints }: CoreGridProps) {
  const { cores: text } = useText()
  const box = useRef<HTMLDivElement>(null)
  const [at, setAt] = useState<string>()
  const [place, setPlace] = useState<TipPlace>()
  const [app, setApp] = useState<string>()
  const numas = numaNodes(map.cores)
  const parts = new Map(map.cores.flatMap(partsOf).map((part) => [part.key, part]))
  const shown = place === undefined ? undefined : parts.get(place.part)
  const first = numas[0]?.cores[0]
  const context: CellContext = {
    cpu: map.cpu,
    size: sizeFor(map.cores.length),
    paints,
    stop: at !== undefined && parts.has(at) ? at : first && partsOf(first)[0]?.key,
    instance: shown?.instance,
    app,
    others: everyOther(map.cores),
    starving: new Set(map.starving),
    throttled: new Set(map.throttled.map(({ instance }) => instance)),
  }
  const look = (target: EventTarget) => {
    const part = partOf(target)
    setPlace(part === null || box.current === null ? undefined : placeOf(part, box.current))
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Escape') return setPlace(undefined)
    const next = nextPart(event.key, partOf(event.target), box.current)
    if (next === undefined) return
    event.preventDefault()
    next.focus()
  }
  return (
    <>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: what is inside takes the focus and is pressed */}
      <div
        ref={box}
        className={`numas numas-${context.size}`}
        onKeyDown={onKey}
        onFocus={(event) => {
          setAt(partOf(event.target)?.dataset.part)
          look(event.target)
        }}
        onBlur={() => setPlace(undefined)}
        onMouseOver={(event) => look(event.target)}
        onMouseLeave={() => setPlace(undefined)}
      >
        {numas.map(({ numa, cores }) => (
          <div key={numa} className="numa">
            {numas.length > 1 && (
              <p className="numa-title muted">
                {text.numa(numa)} · {text.range(rangesOf(cores.map(({ core }) => core)))}
              </p>
            )}
            <ul className="core-cells" aria-label={`${numas.length > 1 ? text.numa(numa) : text.title}. ${text.keys}`}>
              {cores.map((core) => (
                <CoreCell key={core.core} core={core} context={context} />
              ))}
            </ul>
          </div>
        ))}
        {place !== undefined && shown !== undefined && <CoreTip map={map} part={shown} place={place} paints={paints} />}
      </div>
      <CoreLegend map={map} summary={summary} paints={paints} onApp={setApp} />
    </>
  )
}

function placeOf(part: HTMLElement, box: HTMLElement): TipPlace {
  const cell = (part.closest('.core') ?? part).getBoundingClientRect()
  const around = box.getBoundingClientRect()
  return {
    part: part.dataset.part ?? '',
    left: Math.max(0, Math.min(cell.left - around.left, around.width - tipWidth)),
    top: cell.bottom - around.top + 6,
  }
}

const tipWidth = 280
