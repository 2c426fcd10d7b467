import { closest } from '@berth/core'
import type { z } from 'zod'

export interface ShapeProblem {
  readonly path: readonly (string | number)[]
  /** In the project's words: what is expected, what came instead, and where it is near, what was meant. */
  readonly message: string
}

export type ReadShape<T> = { readonly value: T } | { readonly problems: readonly ShapeProblem[] }

/**
 * Reads what came from elsewhere by its schema, or gives every mistake. A message that the schema gives itself stays; none of the schema
 * library's own is told to anybody. What may be a secret is not repeated.
 */
export function readShape<T extends z.ZodType>(schema: T, value: unknown): ReadShape<z.output<T>> {
  const result = schema.safeParse(value, { error: unsaid })
  if (result.success) return { value: result.data }
  return { problems: result.error.issues.flatMap((issue) => explain(issue, value, [])) }
}

type Issue = z.core.$ZodIssue
type Path = readonly (string | number)[]

/** Stands in place of every message that the library would make. Known keys are known here only. */
const mark = '\0'
const unsaid: z.core.$ZodErrorMap = (issue) => {
  if (issue.code !== 'unrecognized_keys') return mark
  const shape = (issue.inst as { readonly shape?: object } | undefined)?.shape
  return `${mark}${Object.keys(shape ?? {}).join(' ')}`
}

function explain(issue: Issue, root: unknown, base: Path): ShapeProblem[] {
  const path = [...base, ...(issue.path as Path)]
  if (!issue.message.startsWith(mark)) return [{ path, message: issue.message }]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, issue.message, path))
  if (issue.code === 'invalid_union') return explainUnion(issue, root, path)
  return [{ path, message: explainOne(issue, at(root, path), path) }]
}

function unknownKey(key: string, message: string, path: Path): ShapeProblem {
  const known = message.slice(mark.length).split(' ').filter(Boolean)
  const near = closest(key, known)
  const list = known.length === 0 ? '' : `; known are ${known.join(', ')}`
  return {
    path: [...path, short(key)],
    message: `is not known here${near === undefined ? list : `; did you mean ${near}?`}`,
  }
}

/** The branch that takes this kind of value says what is wrong with it; when none does, all are named. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, root: unknown, path: Path): ShapeProblem[] {
  const [branch, ...others] = issue.errors.filter((errors) => !errors.some(isWrongKind))
  if (branch !== undefined && others.length === 0) return branch.flatMap((each) => explain(each, root, path))
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : []
  const kinds = options.length > 0 ? options : [...new Set(issue.errors.flatMap((errors) => errors.flatMap(kindsOf)))]
  return [{ path, message: expected(kinds, at(root, path), path) }]
}

const isWrongKind = (issue: Issue): boolean => {
  if (issue.path.length > 0) return false
  if (issue.code === 'invalid_union') return issue.errors.every((errors) => errors.some(isWrongKind))
  return issue.code === 'invalid_type' || issue.code === 'invalid_value'
}

function explainOne(issue: Issue, value: unknown, path: Path): string {
  switch (issue.code) {
    case 'invalid_type':
      return expected(kindsOf({ ...issue, path: [] }), value, path)
    case 'invalid_value': {
      const choices = issue.values.map(String)
      const near = typeof value === 'string' && !maybeSecret(path) ? closest(value, choices) : undefined
      return `${expected(choices, value, path)}${near === undefined ? '' : `; did you mean ${near}?`}`
    }
    case 'too_small':
      return bound(
        issue.origin,
        `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`,
        value,
        path,
      )
    case 'too_big':
      return bound(issue.origin, `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`, value, path)
    case 'not_multiple_of':
      return `has to be a multiple of ${issue.divisor}`
    case 'invalid_key':
      return 'cannot be a name here'
    default:
      return `${value === undefined ? 'the value' : told(value, path)} is not of the form that is needed here`
  }
}

const units: Readonly<Record<string, string>> = { string: 'characters', array: 'items', set: 'items', map: 'entries' }

function bound(origin: string, limit: string, value: unknown, path: Path): string {
  const unit = units[origin]
  if (unit === undefined) return `has to be ${limit}, and is ${told(value, path)}`
  const length = (value as { readonly length?: number } | undefined)?.length
  return `has to have ${limit} ${unit}${length === undefined ? '' : `, and has ${length}`}`
}

const kindNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'null',
  never: 'nothing',
}

function kindsOf(issue: Issue): string[] {
  if (issue.path.length > 0) return []
  if (issue.code === 'invalid_value') return issue.values.map(String)
  if (issue.code === 'invalid_union') return issue.errors.flatMap((errors) => errors.flatMap(kindsOf))
  return issue.code === 'invalid_type' ? [kindNames[issue.expected] ?? issue.expected] : []
}

function expected(kinds: readonly string[], value: unknown, path: Path): string {
  const wanted = listed(kinds)
  return value === undefined ? `is missing: give ${wanted}` : `expected ${wanted}, not ${told(value, path)}`
}

function listed(choices: readonly string[]): string {
  const last = choices.at(-1) ?? 'something else'
  if (choices.length < 2) return last
  return `${choices.slice(0, -1).join(', ')}${last.includes(' or ') ? ',' : ' or'} ${last}`
}

function told(value: unknown, path: Path): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (maybeSecret(path)) return typeof value === 'string' ? 'this text' : `this ${typeof value}`
  return typeof value === 'string' ? JSON.stringify(short(value)) : String(value)
}

/** By its name. */
const maybeSecret = (path: Path): boolean =>
  path.some((step) => /secret|token|password|^(key|value|env|ca|certificate)$/i.test(String(step)))

const short = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text)

function at(root: unknown, path: Path): unknown {
  let value = root
  for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step]
  return value
}
