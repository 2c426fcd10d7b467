import type { PlanView } from '@berth/api/planning-resources'

export type Change = PlanView['diff'][number]

/** What differs between two specifications, as a plan says it: objects member by member, everything else whole. */
export function specDiff(before: unknown, after: unknown, path = ''): readonly Change[] {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((key) => specDiff(before[key], after[key], path === '' ? key : `${path}.${key}`))
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  if (before === undefined) return [{ op: '+', path, after }]
  if (after === undefined) return [{ op: '-', path, before }]
  return [{ op: '~', path, before, after }]
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
