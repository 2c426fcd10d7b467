import { formatBandwidth } from './quantities.ts'

interface Limits {
  readonly inBitsPerSecond?: number | undefined
  readonly outBitsPerSecond?: number | undefined
}

/** `in 200Mbit → 100Mbit`, for each way whose limit is another. */
export function bandwidthChanges(before: Limits, after: Limits): string[] {
  const say = (bits: number | undefined): string => (bits === undefined ? 'no limit' : formatBandwidth(bits))
  const ways = [
    ['in', before.inBitsPerSecond, after.inBitsPerSecond],
    ['out', before.outBitsPerSecond, after.outBitsPerSecond],
  ] as const
  return ways.flatMap(([way, from, to]) => (from === to ? [] : [`${way} ${say(from)} → ${say(to)}`]))
}
