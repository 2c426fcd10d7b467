import { formatPath, type SpecIssue, type SpecPath } from '@berth/core'
import type { YamlNode, YamlProblem } from './tree-reader.ts'
import { readYaml, type YamlTree } from './yaml-tree.ts'

/** One mistake, where it stands (counted from 1) and what to do about it. */
export interface SpecProblem {
  readonly line: number
  readonly column: number
  /** `entrypoints.web.ports[0]`; empty for the document itself. */
  readonly path: string
  readonly message: string
  readonly suggestion?: string
}

export interface ParsedDocument<T> {
  /** Present exactly when there are no problems. */
  readonly value?: T
  /** In the order of the file. */
  readonly problems: readonly SpecProblem[]
}

/** What is to be known of a kind of document to read it. */
export interface DocumentReader<D, T> {
  /** What to do with one that is too large, and with an empty one. */
  readonly whenTooLarge: string
  readonly whenEmpty: string
  /** Keys and kinds of values. */
  shape(value: unknown): {
    readonly document: D
    readonly broken: readonly SpecPath[]
    readonly issues: readonly SpecIssue[]
  }
  /** What the values may be, and the canonical form. */
  canonical(document: D, broken: readonly SpecPath[]): { readonly value?: T; readonly issues: readonly SpecIssue[] }
}

/** What takes half a second to refuse at worst, and fits a release's record many times. */
export const maxSpecBytes = 256 * 1024
/** More than anybody reads; the rest is counted. */
const maxProblems = 100

/** Reads a YAML document: its canonical form, or every mistake in it. Never throws, whatever the text. */
export function parseDocument<D, T>(yamlText: string, reader: DocumentReader<D, T>): ParsedDocument<T> {
  if (yamlText.length > maxSpecBytes || new TextEncoder().encode(yamlText).length > maxSpecBytes)
    return atStart('the file is larger than 256 KiB', reader.whenTooLarge)
  const tree = readYaml(yamlText)
  const { root } = tree
  const badYaml = [...tree.syntax, ...tree.refused].map((problem) => fromYaml(tree, problem))
  if (root === undefined) return badYaml.length > 0 ? finish(badYaml) : atStart('the file is empty', reader.whenEmpty)
  const { document, broken, issues: misshapen } = reader.shape(withoutExtensions(root.value))
  const shape = misshapen.filter(({ path }) => find(root, path).refused !== true)
  if (tree.syntax.length > 0) return finish([...badYaml, ...beforeError(tree, root, shape)])
  const { value, issues } = reader.canonical(document, broken)
  const misread = misreadStages(misshapen)
  const own = issues.filter(({ path }) => !misread.some((list) => startsWith(path, list)))
  const problems = [...shape, ...own].map((issue) => locate(tree, root, issue))
  if (badYaml.length === 0 && problems.length === 0 && value !== undefined) return { value, problems: [] }
  return finish([...badYaml, ...problems])
}

const atStart = (message: string, suggestion: string): ParsedDocument<never> => ({
  problems: [{ line: 1, column: 1, path: '', message, suggestion }],
})

/** Keys that start with `x-` at the top are the user's own, a place for anchors. */
function withoutExtensions(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('x-')))
}

/** Where YAML breaks off, what follows is guesswork: only what stands wholly before it is judged. */
function beforeError(tree: YamlTree, root: YamlNode, issues: readonly SpecIssue[]): SpecProblem[] {
  const first = Math.min(...tree.syntax.map(({ offset }) => offset))
  const before = issues.filter(({ path, atKey }) => {
    const node = find(root, path)
    return path.length > 0 && (atKey === true ? node.keyOffset : node.endOffset) < first
  })
  return before.map((issue) => locate(tree, root, issue))
}

/**
 * Lists of stages with one whose keys or kinds of values are wrong. A stage is judged beside the others, so that whatever else could be said
 * of them may come of that mistake alone.
 */
const misreadStages = (issues: readonly SpecIssue[]): readonly SpecPath[] =>
  issues.flatMap(({ path }) => {
    const at = path.indexOf('stages')
    return at < 0 || typeof path[at + 1] !== 'number' ? [] : [path.slice(0, at + 1)]
  })

const startsWith = (path: SpecPath, start: SpecPath): boolean => start.every((step, index) => path[index] === step)

const fromYaml = (tree: YamlTree, { offset, ...problem }: YamlProblem): SpecProblem => ({
  ...tree.position(offset),
  path: '',
  ...problem,
})

function locate(tree: YamlTree, root: YamlNode, issue: SpecIssue): SpecProblem {
  const { path, message, suggestion } = issue
  const node = find(root, path)
  const place = tree.position(issue.atKey === true || node.missing ? node.keyOffset : node.offset)
  return { ...place, path: formatPath(path), message, ...(suggestion === undefined ? {} : { suggestion }) }
}

/** The value at the path; of what is missing, what it is missing from. */
function find(root: YamlNode, path: SpecPath): YamlNode & { readonly missing: boolean } {
  let node = root
  for (const step of path) {
    const child = node.children.get(step)
    if (child === undefined) return { ...node, missing: true }
    node = child
  }
  return { ...node, missing: false }
}

/** Sorted by place; what an alias repeats is said once. */
function finish(problems: readonly SpecProblem[]): ParsedDocument<never> {
  const unique = new Map<string, SpecProblem>()
  for (const problem of problems) {
    const key = `${problem.line}:${problem.column}:${problem.message}`
    if (!unique.has(key)) unique.set(key, problem)
  }
  const sorted = [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column)
  const shown = sorted.slice(0, maxProblems)
  const last = shown.at(-1)
  if (last === undefined || sorted.length === shown.length) return { problems: shown }
  const { line, column } = last
  const message = `and ${sorted.length - maxProblems} problems more`
  return { problems: [...shown, { line, column, path: '', message }] }
}
