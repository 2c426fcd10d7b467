import type { Language } from '../i18n/language.tsx'

const steps: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]

/** `3 min. ago`, `3分钟前`. The future (a clock that is ahead) counts as now. */
export function formatAgo(at: number, now: number, language: Language): string {
  const age = Math.max(0, now - at)
  const format = new Intl.RelativeTimeFormat(language === 'zh' ? 'zh-CN' : 'en', { numeric: 'auto', style: 'short' })
  for (const [unit, ms] of steps) if (age >= ms) return format.format(-Math.floor(age / ms), unit)
  return format.format(0, 'second')
}

/** `in 12 days`, `12天后`; what is over is said as {@link formatAgo} says it. */
export function formatUntil(at: number, now: number, language: Language): string {
  if (at <= now) return formatAgo(at, now, language)
  const format = new Intl.RelativeTimeFormat(language === 'zh' ? 'zh-CN' : 'en', { numeric: 'always' })
  const [unit, ms] = steps.find(([, each]) => at - now >= each) ?? ['second', 1_000]
  return format.format(Math.floor((at - now) / ms), unit)
}

export const formatDate = (at: number, language: Language): string =>
  new Intl.DateTimeFormat(language === 'zh' ? 'zh-CN' : 'en-GB', { dateStyle: 'medium' }).format(at)

/** How long the text of {@link formatAgo} stays true. */
export const agoLastsMs = (at: number, now: number): number =>
  now - at < 60_000 ? 1_000 : now - at < 3_600_000 ? 15_000 : 300_000

export const formatTime = (at: number, language: Language): string =>
  new Intl.DateTimeFormat(language === 'zh' ? 'zh-CN' : 'en-GB', { dateStyle: 'medium', timeStyle: 'medium' }).format(
    at,
  )

/** `14:03:07.123`, for lines of output. */
export function formatClock(at: number): string {
  const date = new Date(at)
  const two = (n: number) => String(n).padStart(2, '0')
  const ms = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`
}
