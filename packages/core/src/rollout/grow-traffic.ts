import type { Rollout, RolloutStage, StageSpec, TrafficGrowth } from '../model/index.ts'
import { formatShare } from '../spec/quantities.ts'

/** So many steps lead from the first share to the last: each is written down, and told to the gateways. */
export const growthSteps = 20

export interface GrowthOutcome {
  /** undefined: its share does not grow, or its instances do not serve yet. */
  readonly growth?: TrafficGrowth
  /** It has all of its share. */
  readonly isGrown: boolean
  readonly nextAt?: number
}

/**
 * What a stage whose share of the requests grows has by now. One step at a time, by the clock of whoever decides: however late it is, none is
 * left out, so that neither a pause nor a server that was down ends in a jump. `held`: it grows no further for now.
 */
export function growTraffic(
  { traffic = 0, grow }: Pick<StageSpec, 'traffic' | 'grow'>,
  { readyAt, growth }: Pick<RolloutStage, 'readyAt' | 'growth'>,
  { pauses = [] }: Pick<Rollout, 'pauses'>,
  held: boolean,
  now: number,
): GrowthOutcome {
  if (grow === undefined) return { isGrown: true }
  if (readyAt === undefined) return { isGrown: false }
  const stepMs = Math.ceil(grow.overMs / growthSteps)
  const before = growth ?? { share: grow.from, steps: 0, at: now }
  if (before.steps >= growthSteps) return { growth: before, isGrown: true }
  const dueAt = Math.max(before.at, ...pauses.map(({ until }) => until ?? 0)) + stepMs
  if (held) return { growth: before, isGrown: false }
  if (now < dueAt) return { growth: before, isGrown: false, nextAt: dueAt }
  const steps = before.steps + 1
  const share = grow.from + Math.round(((traffic - grow.from) * steps) / growthSteps)
  const isGrown = steps === growthSteps
  return { growth: { share, steps, at: now }, isGrown, ...(isGrown ? {} : { nextAt: now + stepMs }) }
}

/** Of the requests, thousandths that go to the new release while this stage lasts; undefined: as many as its instances are. */
export const shareNow = (
  { traffic, grow }: Pick<StageSpec, 'traffic' | 'grow'>,
  { growth }: Pick<RolloutStage, 'growth'>,
): number | undefined => (grow === undefined ? traffic : (growth?.share ?? grow.from))

/** `all of its requests: 12% of 50%` */
export const growthText = ({ traffic = 0 }: Pick<StageSpec, 'traffic'>, { share }: TrafficGrowth): string =>
  `all of its requests: ${formatShare(share)} of ${formatShare(traffic)}`
