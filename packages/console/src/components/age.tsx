import { useEffect, useState } from 'react'
import { formatDuration } from '../format/quantities.ts'
import { agoLastsMs, formatAgo, formatTime, formatUntil } from '../format/times.ts'
import { useLanguage } from '../i18n/language.tsx'

export function useNow(everyMs: number | undefined): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    setNow(Date.now())
    if (everyMs === undefined) return
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

/** `3 min. ago`, with the full time as its tooltip. */
export function Age({ at }: { readonly at: number | undefined }) {
  const { language } = useLanguage()
  const now = useNow(at === undefined ? undefined : agoLastsMs(at, Date.now()))
  if (at === undefined) return <span className="muted">–</span>
  return (
    <time dateTime={new Date(at).toISOString()} title={formatTime(at, language)} className="age">
      {formatAgo(at, now, language)}
    </time>
  )
}

/** `in 12 days`, with the full time as its tooltip. */
export function Until({ at }: { readonly at: number }) {
  const { language } = useLanguage()
  const now = useNow(60_000)
  return (
    <time dateTime={new Date(at).toISOString()} title={formatTime(at, language)} className="age">
      {formatUntil(at, now, language)}
    </time>
  )
}

/** From `from` to `to`; still counting without `to`. */
export function Took({ from, to }: { readonly from: number | undefined; readonly to: number | undefined }) {
  const now = useNow(to === undefined && from !== undefined ? 1_000 : undefined)
  if (from === undefined) return <span className="muted">–</span>
  return <span className="number nowrap">{formatDuration((to ?? now) - from)}</span>
}
