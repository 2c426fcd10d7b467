import type { Rollout, RolloutPause } from '../model/index.ts'

/** Older ones go: the record is bounded, whoever pauses how often. */
const mostPauses = 50

export function beginPause(rollout: Rollout, reason: string, now: number): Rollout {
  const pauses = [...(rollout.pauses ?? []), { since: now, reason }].slice(-mostPauses)
  return { ...rollout, pauses }
}

/** Nothing where none is open. */
export function endPause(rollout: Rollout, now: number): Rollout {
  if (rollout.pauses === undefined) return rollout
  const ended = ({ until, ...rest }: RolloutPause): RolloutPause => ({ ...rest, until: until ?? now })
  return { ...rollout, pauses: rollout.pauses.map(ended) }
}
