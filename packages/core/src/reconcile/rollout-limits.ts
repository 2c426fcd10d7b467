import type { RolloutSpec } from '../model/app-spec.ts'
import type { InstanceShare } from '../model/instance-share.ts'

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

/** How many serve while a change is under way, if everything goes well. */
export interface ServingRange {
  readonly now: number
  /** The fewest at any moment: what is left of the capacity. */
  readonly lowest: number
  /** The most that exist at any moment: what there has to be room for. */
  readonly highest: number
}

/** From `now` instances to `wanted`, `replaced` of which are new ones for old. */
export function servingRange(
  now: number,
  wanted: number,
  replaced: number,
  rollout: Pick<RolloutSpec, 'surge' | 'unavailable'>,
): ServingRange {
  if (replaced === 0) return { now, lowest: Math.min(now, wanted), highest: Math.max(now, wanted) }
  const { surge, unavailable } = rolloutLimits(rollout, wanted)
  return { now, lowest: Math.min(now, Math.max(0, wanted - unavailable)), highest: Math.max(now, wanted + surge) }
}

const instances = (share: InstanceShare, wanted: number, round: (count: number) => number): number =>
  typeof share === 'number' ? share : round((wanted * share.percent) / 100)
