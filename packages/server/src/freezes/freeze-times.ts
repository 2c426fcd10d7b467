import { BerthError, type Freeze } from '@berth/core'
import { cronTimes } from '../cron/cron-times.ts'
import type { State } from '../records/index.ts'

/** Until when it freezes, if it does so at this time. */
export function frozenUntil({ when }: Freeze, now: number): number | undefined {
  if (when.type === 'once') return when.from <= now && now < when.until ? when.until : undefined
  const began = cronTimes(when).lastUntil(now)
  const until = began === undefined ? undefined : began + when.forMs
  return until !== undefined && now < until ? until : undefined
}

/** The freezes that keep this pool from being deployed to now, with their ends. */
export const freezesNow = (state: State, app: string, pool: string, now: number) =>
  state.freezes.all().flatMap((freeze) => {
    const isMeant = (freeze.app ?? app) === app && (freeze.pool ?? pool) === pool
    const until = isMeant ? frozenUntil(freeze, now) : undefined
    return until === undefined ? [] : [{ freeze, until }]
  })

/** Throws `freeze.active`, unless somebody has given a reason to deploy all the same. Returns the freezes that were overridden. */
export function refuseFrozen(
  state: State,
  { app, pool, override, now }: { app: string; pool: string; override: string | undefined; now: number },
): readonly string[] {
  const found = freezesNow(state, app, pool, now)
  const [first] = found
  if (first === undefined) return []
  if (override !== undefined) return found.map(({ freeze }) => freeze.name)
  const { freeze, until } = first
  throw new BerthError(
    'freeze.active',
    `deploy to ${app}/${pool}: freeze ${freeze.name} until ${new Date(until).toISOString()} (${freeze.reason}); wait, or say why it cannot: --override-freeze REASON`,
    { retryable: true, details: { freeze: freeze.name, until } },
  )
}
