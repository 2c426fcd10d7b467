import type { ScheduleSpec } from '../model/placement-spec.ts'
import { closest } from './closest.ts'
import { parseCron } from './cron-expression.ts'
import { specDefaults } from './defaults.ts'
import { readCount, readDuration, requireKey } from './read-values.ts'
import type { ScheduleDocument } from './spec-document.ts'
import { type IssueList, type Parsed, parsed, refused, type SpecPath } from './spec-issue.ts'

/** `"0 3 * * *"`, or in full. */
export function canonicalSchedule(
  issues: IssueList,
  path: SpecPath,
  document: string | ScheduleDocument | undefined,
): ScheduleSpec | undefined {
  if (document === undefined) return undefined
  const short = typeof document === 'string'
  const { cron, zone, overlap, history, grace } = short ? ({ cron: document } as ScheduleDocument) : document
  const defaults = specDefaults.schedule
  const rest = {
    zone: issues.take([...path, 'zone'], parseZone(zone ?? defaults.zone)) ?? defaults.zone,
    overlap: overlap ?? defaults.overlap,
    history: readCount(issues, [...path, 'history'], history, defaults.history, { min: 1, max: 100 }),
    graceMs: readDuration(issues, [...path, 'grace'], grace, defaults.graceMs, { max: 7 * 86_400_000 }),
  }
  if (!requireKey(issues, path, 'cron', cron)) return undefined
  const expression = issues.take(short ? path : [...path, 'cron'], parseCron(cron))
  return expression === undefined ? undefined : { cron: expression, ...rest }
}

/** An IANA name that this program's time zone data has. */
export function parseZone(name: string): Parsed<string> {
  if (/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name) && isZone(name)) return parsed(name)
  const message = `there is no time zone called ${JSON.stringify(name.slice(0, 64))}`
  const near = nearestZone(name)
  if (near !== undefined) return refused(message, `did you mean ${near}?`)
  return refused(message, 'write a name such as Europe/Berlin, Asia/Shanghai or UTC')
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** By the name of the place: `Berlin`, `europe/berln`. */
function nearestZone(name: string): string | undefined {
  const place = (zone: string): string => zone.slice(zone.lastIndexOf('/') + 1)
  const initial = place(name).slice(0, 1).toLowerCase()
  const zones = Intl.supportedValuesOf('timeZone').filter((zone) => place(zone).toLowerCase().startsWith(initial))
  const near = closest(place(name), zones.map(place))
  return near === undefined ? undefined : zones.find((zone) => place(zone) === near)
}
