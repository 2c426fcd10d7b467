/** How long a call waits for a change, by Consul's rules; all in ms. */
export const waitLimits = { defaultMs: 300_000, maxMs: 600_000, jitterFraction: 16 } as const

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}
const part = /([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)/gy

/** `10s`, `1m30s`, as Go writes durations; undefined for anything else. */
export function parseGoDuration(text: string): number | undefined {
  let sum = 0
  let end = 0
  part.lastIndex = 0
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    sum += Number(found[1]) * (unitMs[found[2] ?? ''] ?? 0)
    end = part.lastIndex
  }
  return end === text.length && end > 0 ? sum : undefined
}

/**
 * How long a call may wait: what was asked for within the limits, and up to a sixteenth more, so that many who began together do not end
 * together. `random` is from 0 up to 1.
 */
export function waitingTimeMs(askedMs: number | undefined, random: number): number {
  const waitMs = askedMs === undefined || askedMs <= 0 ? waitLimits.defaultMs : Math.min(askedMs, waitLimits.maxMs)
  return waitMs + (random * waitMs) / waitLimits.jitterFraction
}

/** `?index=`: absent or 0 is no index, and the call does not wait. undefined for what is no number. */
export function parseIndex(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return 0
  if (!/^[0-9]{1,20}$/.test(text)) return undefined
  return Number(text)
}
