import type { InstanceShare } from '../model/instance-share.ts'
import { readCount } from './read-values.ts'
import type { Amount } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** `3` instances, or `25%` of the wanted count. */
export function readShare<T>(
  issues: IssueList,
  at: SpecPath,
  value: Amount | undefined,
  fallback: T,
): InstanceShare | T {
  if (typeof value !== 'string') return readCount(issues, at, value, fallback)
  const percent = /^(\d{1,3})%$/.exec(value)?.[1]
  if (percent !== undefined && Number(percent) <= 100) return { percent: Number(percent) }
  const suggestion = /^\d+$/.test(value)
    ? `write ${value}, without quotes`
    : 'write a number of instances, or a share like 25%'
  issues.add(at, `"${value}" is neither a number of instances nor a share of 0% to 100%`, { suggestion })
  return fallback
}
