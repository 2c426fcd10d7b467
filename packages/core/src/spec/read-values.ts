import { isVariableName } from '../model/names.ts'
import { splitCommand } from './command-line.ts'
import { formatBytes, formatDuration, parseBytes, parseCpu, parseDuration } from './quantities.ts'
import type { Amount, Mapping, Scalar, Texts } from './spec-document.ts'
import type { IssueList, Parsed, SpecPath } from './spec-issue.ts'

/** Reading one value: notes what is wrong with it and goes on with the fallback. */
export interface Bounds {
  readonly min?: number
  readonly max?: number
}

export function readDuration<T>(
  issues: IssueList,
  path: SpecPath,
  value: Amount | undefined,
  fallback: T,
  bounds: Bounds = {},
): number | T {
  return readAmount(issues, path, value, fallback, parseDuration, formatDuration, bounds)
}

export function readBytes<T>(
  issues: IssueList,
  path: SpecPath,
  value: Amount | undefined,
  fallback: T,
  bounds: Bounds = {},
): number | T {
  return readAmount(issues, path, value, fallback, parseBytes, formatBytes, bounds)
}

export function readCpu<T>(issues: IssueList, path: SpecPath, value: Amount | undefined, fallback: T): number | T {
  return value === undefined ? fallback : (issues.take(path, parseCpu(String(value))) ?? fallback)
}

function readAmount<T>(
  issues: IssueList,
  path: SpecPath,
  value: Amount | undefined,
  fallback: T,
  parse: (text: string) => Parsed<number>,
  format: (amount: number) => string,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds,
): number | T {
  if (value === undefined) return fallback
  const amount = issues.take(path, parse(String(value)))
  if (amount === undefined) return fallback
  if (amount < min) issues.add(path, `${value} is too little: at least ${format(min)} is needed`)
  if (amount > max) issues.add(path, `${value} is too much: at most ${format(max)} is possible`)
  return amount
}

export function readCount<T>(
  issues: IssueList,
  path: SpecPath,
  value: number | undefined,
  fallback: T,
  { min = 0, max = 10_000 }: Bounds = {},
): number | T {
  if (value === undefined) return fallback
  if (value >= min && value <= max) return value
  issues.add(path, `${value} is out of range (${min} to ${max})`)
  return fallback
}

/** An argument vector; a text is split like a shell would. */
export function readCommand(issues: IssueList, path: SpecPath, value: string | Texts | undefined): readonly string[] {
  if (value === undefined) return []
  if (typeof value === 'string') return issues.take(path, splitCommand(value)) ?? []
  const words = readTexts(issues, path, value, { empty: true })
  if (words[0] === '') issues.add([...path, 0], 'the program to run is empty')
  return words
}

/** A text, or a list of them. */
export function readTexts(
  issues: IssueList,
  path: SpecPath,
  value: string | Texts | undefined,
  { empty = false }: { readonly empty?: boolean } = {},
): readonly string[] {
  if (value === undefined) return []
  if (typeof value === 'string') return checkText(issues, path, value, empty) ? [value] : []
  return value.filter(
    (each, index): each is string => each !== undefined && checkText(issues, [...path, index], each, empty),
  )
}

function checkText(issues: IssueList, path: SpecPath, text: string, empty: boolean): boolean {
  if (!empty && text.trim() === '') issues.add(path, 'the text is empty', { suggestion: 'leave it out' })
  else if (text.includes('\0')) issues.add(path, 'the text holds a zero byte, which nothing can be given')
  else return true
  return false
}

/** Environment variables, sorted by name. `BERTH_…` belongs to Berth. */
export function readVariables(
  issues: IssueList,
  path: SpecPath,
  variables: Mapping<Scalar> | undefined,
): Record<string, string> {
  const given: [string, string][] = []
  for (const [name, value] of Object.entries(variables ?? {})) {
    checkVariableName(issues, [...path, name], name, true)
    if (value === undefined) continue
    if (checkText(issues, [...path, name], String(value), true)) given.push([name, String(value)])
  }
  return sortedRecord(given)
}

export function checkVariableName(issues: IssueList, path: SpecPath, name: string, atKey: boolean): void {
  if (!isVariableName(name)) {
    issues.add(path, `${JSON.stringify(name)} cannot name a variable: use letters, digits and _`, { atKey })
  } else if (/^BERTH_/.test(name)) {
    issues.add(path, `variables that start with BERTH_ are set by Berth itself`, { atKey })
  }
}

export function sortedRecord<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareText(a, b)))
}

/** By code unit, so that the order is the same everywhere. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What is given of a list, each with its place in the file. */
export function* given<T>(list: readonly (T | undefined)[] | undefined): Generator<readonly [number, T]> {
  for (const [index, item] of (list ?? []).entries()) if (item !== undefined) yield [index, item]
}

/** Notes a key that was needed. */
export function requireKey<T>(issues: IssueList, path: SpecPath, key: string, value: T | undefined): value is T {
  if (value !== undefined) return true
  issues.add([...path, key], `\`${key}\` is missing`)
  return false
}
