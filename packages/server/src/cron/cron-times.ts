import type { CronTimes, ScheduleSpec } from '@berth/core'
import { Cron } from 'croner'

/**
 * When an expression is due by the clocks of its zone. Where clocks are put forward, what falls into the hour left out is due right after
 * it; where they are put back, a time of day comes once.
 */
export function cronTimes({ cron, zone }: Pick<ScheduleSpec, 'cron' | 'zone'>): CronTimes {
  const pattern = new Cron(cron, { timezone: zone, paused: true })
  return {
    nextAfter: (at) => pattern.nextRun(new Date(at))?.getTime(),
    // The last before a time does not count the time itself.
    lastUntil: (at) => pattern.previousRuns(1, new Date(at + 1))[0]?.getTime(),
  }
}
