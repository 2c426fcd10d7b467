import type { InstanceShare, RolloutSpec } from '../model/app-spec.ts'

export interface RolloutLimits {
  /** Instances above the wanted count. */
  readonly surge: number
  /** Instances that may be missing. */
  readonly unavailable: number
}

/**
 * Shares in instances: what may be more is rounded up, what may be missing is rounded down. Where that leaves nothing that could move
 * (a quarter of three may be missing, none may be more), one may be missing.
 */
export function rolloutLimits(
  { surge, unavailable }: Pick<RolloutSpec, 'surge' | 'unavailable'>,
  wanted: number,
): RolloutLimits {
  const limits = {
    surge: instances(surge, wanted, Math.ceil),
    unavailable: instances(unavailable, wanted, Math.floor),
  }
  return limits.surge + limits.unavailable === 0 ? { surge: 0, unavailable: 1 } : limits
}

const instances = (share: InstanceShare, wanted: number, round: (count: number) => number): number =>
  typeof share === 'number' ? share : round((wanted * share.percent) / 100)
