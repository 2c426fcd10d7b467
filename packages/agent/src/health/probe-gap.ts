import type { ProbeSpec } from '@berth/core'

/**
 * Time until the next probe. Until it first succeeds an instance is asked often, so that it gets traffic as soon as it can take it; a
 * slow starter is asked less often as time goes by.
 */
export function probeGapMs(spec: Pick<ProbeSpec, 'intervalMs'>, startingForMs: number | undefined): number {
  if (startingForMs === undefined) return spec.intervalMs
  const gapMs = startingForMs < 2_000 ? 50 : startingForMs < 10_000 ? 100 : startingForMs < 60_000 ? 250 : 1_000
  return Math.min(gapMs, spec.intervalMs)
}
