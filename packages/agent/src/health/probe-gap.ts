import type { ProbeSpec } from '@berth/core'

/** A probe that takes long (a command in the container, a machine that is busy) is given this many times as long a rest. */
const restPerProbe = 4

/**
 * Time until the next probe. Until it first succeeds an instance is asked often, so that it gets traffic as soon as it can take it; a
 * slow starter is asked less often as time goes by, and a costly probe never takes more than a fifth of the time: fifty commands
 * every 50 ms would starve the very containers that they wait for.
 */
export function probeGapMs(
  spec: Pick<ProbeSpec, 'intervalMs'>,
  startingForMs: number | undefined,
  tookMs: number,
): number {
  if (startingForMs === undefined) return spec.intervalMs
  const gapMs = startingForMs < 2_000 ? 50 : startingForMs < 10_000 ? 100 : startingForMs < 60_000 ? 250 : 1_000
  return Math.min(Math.max(gapMs, restPerProbe * tookMs), spec.intervalMs)
}
