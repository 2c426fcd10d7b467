import type { ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import type { Shown, Tone } from '../live/states.ts'

/** A shape of its own for every tone, so that nothing depends on seeing colours. */
export function Mark({ tone }: { readonly tone: Tone }) {
  return (
    <svg className={`mark mark-${tone}`} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      {tone === 'ok' && <circle cx="6" cy="6" r="4.500" fill="currentColor" />}
      {tone === 'busy' && (
        <>
          <circle cx="6" cy="6" r="4.200" className="mark-track" />
          <path d="M6 1.800a4.200 4.200 0 0 1 4.200 4.200" className="mark-arc" />
        </>
      )}
      {tone === 'warn' && <path d="M6 1l5.200 9.500H.8z" fill="currentColor" />}
      {tone === 'bad' && <rect x="1.500" y="1.500" width="9" height="9" rx="1" fill="currentColor" />}
      {tone === 'off' && <circle cx="6" cy="6" r="4" className="mark-hollow" />}
    </svg>
  )
}

export function Status({ shown, detail }: { readonly shown: Shown; readonly detail?: ReactNode }) {
  const text = useText()
  return (
    <span className={`status tone-${shown.tone}`}>
      <Mark tone={shown.tone} />
      <span>{text.state[shown.label]}</span>
      {detail !== undefined && <span className="muted">{detail}</span>}
    </span>
  )
}

/** Segments of a whole, each with its tone: how a rollout stands, how many are ready. */
export function Segments({
  parts,
  label,
}: {
  readonly parts: readonly { tone: Tone; count: number }[]
  readonly label: string
}) {
  const total = parts.reduce((sum, part) => sum + part.count, 0)
  return (
    <span className="segments" role="img" aria-label={label}>
      {total === 0 && <span className="segment segment-off" style={{ flexGrow: 1 }} />}
      {parts
        .filter((part) => part.count > 0)
        .map((part) => (
          <span key={part.tone} className={`segment segment-${part.tone}`} style={{ flexGrow: part.count }} />
        ))}
    </span>
  )
}

/** How much of something is taken. */
export function Meter({ value, max, label }: { readonly value: number; readonly max: number; readonly label: string }) {
  const part = max <= 0 ? 0 : Math.min(1, value / max)
  const tone = part > 0.95 ? 'bad' : part > 0.8 ? 'warn' : 'ok'
  return (
    <span className="meter">
      <span className="meter-track" aria-hidden="true">
        <span className={`meter-value meter-${tone}`} style={{ width: `${part * 100}%` }} />
      </span>
      <span className="meter-label">{label}</span>
    </span>
  )
}
