import { closest, type SpecIssue, type SpecPath } from '@berth/core'
import type { z } from 'zod'
import { hintForChoice, hintForKey } from './key-hints.ts'

export interface ShapeResult<T> {
  readonly issues: readonly SpecIssue[]
  /** The document with every misshapen value left out. */
  readonly document: T
  /** Where they were. */
  readonly broken: readonly SpecPath[]
}

/** Checks keys and kinds of values, and leaves out what is wrong so that all the rest can be checked further. */
export function checkShape<T extends object>(value: unknown, schema: z.ZodType<T>): ShapeResult<T> {
  const result = schema.safeParse(value)
  const found = result.success ? [] : result.error.issues.flatMap((issue) => explain(issue, value, []))
  const document = structuredClone(value)
  for (const { path, unknownKey } of found) leaveOut(document, path, unknownKey === true)
  const whole = found.some(({ path }) => path.length === 0)
  return {
    issues: found.map(({ unknownKey: _, ...issue }) => issue),
    broken: found.filter(({ unknownKey }) => unknownKey !== true).map(({ path }) => path),
    // What is left has the schema's shape: every value that had not was just taken out.
    document: (whole ? {} : document) as T,
  }
}

interface ShapeIssue extends SpecIssue {
  readonly unknownKey?: true
}

type ZodIssue = z.core.$ZodIssue

function explain(issue: ZodIssue, root: unknown, base: SpecPath): ShapeIssue[] {
  const path = [...base, ...(issue.path as SpecPath)]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => explainKey(key, issue.message, path))
    case 'invalid_union':
      return explainUnion(issue, root, path)
    case 'invalid_value':
      return [explainChoice(issue.values.map(String), at(root, path), path)]
    default:
      return [withKeys(issue, explainKind(expectedKinds({ ...issue, path: [] }), at(root, path), path))]
  }
}

function explainKey(key: string, known: string, path: SpecPath): ShapeIssue {
  const suggestion = hintForKey(key, known.split(' '))
  const message = `unknown key "${key.length > 80 ? `${key.slice(0, 80)}…` : key}"`
  const issue = { path: [...path, key], message, atKey: true, unknownKey: true } as const
  return suggestion === undefined ? issue : { ...issue, suggestion }
}

/** The branch that takes this kind of value says what is wrong with it; when none does, all are named. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, root: unknown, path: SpecPath): ShapeIssue[] {
  const branches = issue.errors.filter((errors) => !errors.some(isWrongKind))
  const [branch, ...others] = branches
  if (branch !== undefined && others.length === 0) return branch.flatMap((error) => explain(error, root, path))
  const kinds = issue.errors.flatMap((errors) => errors.flatMap(expectedKinds))
  return [explainKind([...new Set(kinds)], at(root, path), path)]
}

const isWrongKind = (issue: ZodIssue): boolean => {
  if (issue.path.length > 0) return false
  if (issue.code === 'invalid_union') return issue.errors.every((errors) => errors.some(isWrongKind))
  return issue.code === 'invalid_type' || issue.code === 'invalid_value'
}

const kindNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a whole number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: '',
}

function expectedKinds(issue: ZodIssue): string[] {
  if (issue.path.length > 0) return []
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value))
  if (issue.code === 'invalid_union') return issue.errors.flatMap((errors) => errors.flatMap(expectedKinds))
  if (issue.code !== 'invalid_type') return []
  const kind = kindNames[issue.expected] ?? issue.expected
  return kind === '' ? [] : [kind]
}

function explainKind(kinds: readonly string[], value: unknown, path: SpecPath): ShapeIssue {
  const expected = listed(kinds)
  if (value === null) {
    const suggestion = `give it ${expected}, or leave the key out`
    return { path, message: 'the value is missing', suggestion, atKey: true }
  }
  const suggestion = kindHint(kinds, value)
  const issue = { path, message: `expected ${expected}, not ${describe(value)}` }
  return suggestion === undefined ? issue : { ...issue, suggestion }
}

/** A map with fixed keys was expected: its message names them. */
function withKeys(issue: ZodIssue, found: ShapeIssue): ShapeIssue {
  if (issue.code !== 'invalid_type' || issue.expected !== 'object' || found.path.length === 0) return found
  const keys = issue.message.split(' ')
  return {
    ...found,
    suggestion: `write \`key: value\` with ${keys.length === 1 ? 'the key' : 'some of'} ${keys.join(', ')}`,
  }
}

/** Numbers are read as whole ones only (`read-yaml`), so a text of digits was in quotes. */
function kindHint(kinds: readonly string[], value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (kinds.some((kind) => kind.endsWith('number')) && /^[0-9]+$/.test(value)) return `write ${value} without quotes`
    if (kinds.includes('true or false')) return booleanHint(value)
    if (kinds.includes('a list') && !kinds.includes('text')) return `write [${value}]`
  } else if (typeof value === 'number' || typeof value === 'boolean') {
    if (kinds.includes('text')) return `write "${value}"`
    if (kinds.includes('a list')) return `write [${value}]`
  }
  return undefined
}

function booleanHint(text: string): string | undefined {
  if (/^(y|yes|on|true|1)$/i.test(text)) return 'write true'
  return /^(n|no|off|false|0)$/i.test(text) ? 'write false' : undefined
}

function explainChoice(choices: readonly string[], value: unknown, path: SpecPath): ShapeIssue {
  if (value === null) return explainKind(choices, value, path)
  const near = typeof value === 'string' ? closest(value, choices) : undefined
  const issue = { path, message: `expected ${listed(choices)}, not ${describe(value)}` }
  const hint = hintForChoice(path, value)
  if (hint !== undefined) return { ...issue, suggestion: hint }
  return near === undefined ? issue : { ...issue, suggestion: `did you mean "${near}"?` }
}

function listed(choices: readonly string[]): string {
  const last = choices.at(-1) ?? 'something else'
  if (choices.length < 2) return last
  return `${choices.slice(0, -1).join(', ')}${last.includes(' or ') ? ',' : ' or'} ${last}`
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return value === null ? 'nothing' : 'a map'
  if (typeof value !== 'string') return String(value)
  const short = value.length > 40 ? `${value.slice(0, 40)}…` : value
  // Whole numbers are read as numbers, so this one was in quotes; others arrive as the text of the file.
  const bare = /^[+-]?[0-9.]+$/.test(value) && !/^(0|-?[1-9][0-9]*)$/.test(value)
  return bare ? short : `the text ${JSON.stringify(short)}`
}

function at(root: unknown, path: SpecPath): unknown {
  let value = root
  for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step]
  return value
}

/** A list keeps its length, so that the places of its other items stay true. */
function leaveOut(document: unknown, path: SpecPath, remove: boolean): void {
  const parent = at(document, path.slice(0, -1))
  const last = path.at(-1)
  if (last === undefined || typeof parent !== 'object' || parent === null) return
  if (remove) delete (parent as Record<string | number, unknown>)[last]
  else (parent as Record<string | number, unknown>)[last] = undefined
}
