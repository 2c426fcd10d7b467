import { type KeyboardEvent, useLayoutEffect, useRef } from 'react'
import { nextPart } from '../cores/next-part.ts'
import { useText } from '../i18n/language.tsx'
import { TopologyBand } from './topology-band.tsx'
import type { Band } from './topology-model.ts'

interface TopologyMapProps {
  readonly bands: readonly Band[]
  readonly open: string
  readonly onOpen: (key: string) => void
}

const partOf = (target: EventTarget): HTMLElement | null => (target as Element).closest<HTMLElement>('[data-part]')

/** Routes on the left, their target in the middle, its instances on the right. One stop of Tab; arrow keys go on from there. */
export function TopologyMap({ bands, open, onOpen }: TopologyMapProps) {
  const { topology: text } = useText()
  const box = useRef<HTMLDivElement>(null)
  const at = useRef<string>(undefined)
  // Whatever has come or gone, Tab finds one of them.
  useLayoutEffect(() => {
    const parts = [...(box.current?.querySelectorAll<HTMLElement>('[data-part]') ?? [])]
    const stop = parts.find((each) => each.dataset.part === at.current) ?? parts[0]
    for (const each of parts) each.tabIndex = each === stop ? 0 : -1
  })
  const onKey = (event: KeyboardEvent) => {
    const next = nextPart(event.key, partOf(event.target), box.current)
    if (next === undefined) return
    event.preventDefault()
    next.focus()
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: what is inside takes the focus and is pressed
    <div
      ref={box}
      className="topology"
      onKeyDown={onKey}
      onFocus={(event) => {
        const part = partOf(event.target)
        if (part === null) return
        for (const each of box.current?.querySelectorAll<HTMLElement>('[data-part][tabindex="0"]') ?? [])
          each.tabIndex = -1
        part.tabIndex = 0
        at.current = part.dataset.part
      }}
    >
      <div className="topology-head muted small" aria-hidden="true">
        <span>{text.routes}</span>
        <span />
        <span>{text.targets}</span>
        <span />
        <span>{text.instances}</span>
      </div>
      <ul aria-label={`${text.title}. ${text.keys}`}>
        {bands.map((band) => (
          <TopologyBand
            key={band.key}
            band={band}
            isOpen={band.key === open}
            onToggle={() => onOpen(band.key === open ? '' : band.key)}
          />
        ))}
      </ul>
    </div>
  )
}
