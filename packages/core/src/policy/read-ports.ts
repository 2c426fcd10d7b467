import type { IssueList, SpecPath } from '../spec/spec-issue.ts'
import type { PortRange } from './profile.ts'

const maxPort = 65_535

/** `3306`, `"3306"` or `"2048:4000"` each; joined where they overlap or touch. undefined when there was a mistake. */
export function readPorts(issues: IssueList, path: SpecPath, value: unknown): readonly PortRange[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) {
    issues.add(path, 'expected a list of ports', { suggestion: 'write [3306] or ["2048:4000"]' })
    return undefined
  }
  if (value.length === 0)
    issues.add(path, 'the list of ports is empty, and no packet has none of them', {
      suggestion: 'leave it out for any port',
    })
  const ranges = value.flatMap((each, index) => readRange(issues, [...path, index], each, ':') ?? [])
  return ranges.length === 0 ? undefined : joinRanges(ranges)
}

/** For a message: of what may be anything, and long. */
export const shown = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 60)

/** `separator` stands between the two ends of a range. */
export function readRange(
  issues: IssueList,
  path: SpecPath,
  value: unknown,
  separator: ':' | '-',
): PortRange | undefined {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : ''
  const found = /^([0-9]{1,10})(?:([:-])([0-9]{1,10}))?$/.exec(text)
  if (found === null) {
    issues.add(path, `${shown(value)} is no port`, {
      suggestion: `write 3306, or 2048${separator}4000 for a range`,
    })
    return undefined
  }
  const [, first = '', used = separator, last = first] = found
  const range = { first: Number(first), last: Number(last) }
  const impossible = [range.first, range.last].find((port) => port < 1 || port > maxPort)
  if (impossible !== undefined) issues.add(path, `there is no port ${impossible}: they go from 1 to ${maxPort}`)
  else if (used !== separator)
    issues.add(path, `${first}${used}${last}: a range is written another way here`, {
      suggestion: `write ${first}${separator}${last}`,
    })
  else if (range.first > range.last)
    issues.add(path, `${value} ends before it begins`, { suggestion: `write ${last}${separator}${first}` })
  else return range
  return undefined
}

export function joinRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const joined: PortRange[] = []
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = joined.at(-1)
    if (before === undefined || range.first > before.last + 1) joined.push(range)
    else joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, range.last) }
  }
  return joined
}

/** `3306` or `2048-4000` */
export const formatRange = ({ first, last }: PortRange, separator = '-'): string =>
  first === last ? String(first) : `${first}${separator}${last}`
