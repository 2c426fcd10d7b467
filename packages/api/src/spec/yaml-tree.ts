import { LineCounter, parseDocument } from 'yaml'
import { TreeReader, type YamlNode, type YamlProblem } from './tree-reader.ts'

export interface YamlTree {
  /** Absent for an empty document. */
  readonly root?: YamlNode
  /** The text was not read from the first of these on; what stands before it was. */
  readonly syntax: readonly YamlProblem[]
  /** Well-formed YAML that is refused: double keys, tags, aliases that lead nowhere. */
  readonly refused: readonly YamlProblem[]
  position(offset: number): { readonly line: number; readonly column: number }
}

/**
 * Reads YAML 1.2 into plain values and remembers where each stood. Whole numbers and true/false become such; whatever else looks like
 * a number (`1.30`, `007`, `0x1f`, `.nan`) stays the text of the file, since a float would change it.
 */
export function readYaml(text: string): YamlTree {
  const lines = new LineCounter()
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  try {
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      // Own checks: the library compares every key with every other, and counts aliases too late.
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
      logLevel: 'error',
      lineCounter: lines,
    })
    // A text of nonsense has as many errors as characters.
    const syntax = document.errors
      .slice(0, maxErrors)
      .map(({ code, message, pos }) => ({ offset: pos[0], ...explain(code, message) }))
    if (document.errors.some(({ message }) => /call stack/.test(message))) return tooDeep(position)
    const reader = new TreeReader(document, (offset) => position(offset).line)
    const root = reader.read()
    const refused = [...document.warnings.map(({ message, pos }) => ({ offset: pos[0], message })), ...reader.problems]
    syntax.push(...reader.exceeded)
    return { ...(root === undefined ? {} : { root }), syntax, refused, position }
  } catch (error) {
    if (error instanceof RangeError) return tooDeep(position)
    throw error
  }
}

const maxErrors = 1_000

/** Neither the parser nor we got to its end: the stack was too small. */
const tooDeep = (position: YamlTree['position']): YamlTree => ({
  syntax: [{ offset: 0, message: 'the document is nested too deeply' }],
  refused: [],
  position,
})

const explanations: Readonly<Record<string, Omit<YamlProblem, 'offset'>>> = {
  TAB_AS_INDENT: { message: 'a tab cannot indent', suggestion: 'indent with spaces' },
  MULTIPLE_DOCS: { message: 'a second document starts here', suggestion: 'keep one document in a file' },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second `key: value` on one line',
    suggestion: 'put a value with ": " in it in quotes, or a map on lines of its own',
  },
  BAD_SCALAR_START: { message: 'a value cannot start with this character', suggestion: 'put the value in quotes' },
}

function explain(code: string, message: string): Omit<YamlProblem, 'offset'> {
  const unclosed = /end with a ([\]}])$/.exec(message)?.[1]
  if (unclosed !== undefined) return { message: `a ${unclosed === ']' ? '[' : '{'} before this is never closed` }
  return explanations[code] ?? { message: `not well-formed YAML: ${message.split('\n')[0]}` }
}
