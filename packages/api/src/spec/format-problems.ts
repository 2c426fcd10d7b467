import type { SpecProblem } from './parse-spec.ts'

const maxLineLength = 110

/** Problems as a compiler shows them: place, sentence, the line with a caret, and what to do. */
export function formatProblems(problems: readonly SpecProblem[], fileName: string, text: string): string {
  const lines = text.split(/\r\n|\n|\r/)
  return problems.map((problem) => formatProblem(problem, fileName, lines[problem.line - 1] ?? '')).join('\n\n')
}

function formatProblem(problem: SpecProblem, fileName: string, source: string): string {
  const { line, column, path, message, suggestion } = problem
  const margin = ' '.repeat(String(line).length)
  const { shown, caret } = excerpt(source, column - 1)
  const where = path === '' ? '' : `${printable(path)}: `
  return [
    `${fileName}:${line}:${column}: ${where}${printable(message)}`,
    ...(source.trim() === '' ? [] : [` ${line} | ${shown}`, ` ${margin} | ${caret}^`]),
    ...(suggestion === undefined ? [] : [` ${margin} = ${printable(suggestion)}`]),
  ].join('\n')
}

/** A long line is cut around the place. Tabs stay tabs before the caret, so that it stands below its character. */
function excerpt(source: string, index: number): { readonly shown: string; readonly caret: string } {
  const start = source.length <= maxLineLength ? 0 : Math.max(0, Math.min(index - 60, source.length - maxLineLength))
  const lead = start > 0 ? '…' : ''
  const tail = start + maxLineLength < source.length ? '…' : ''
  const shown = printable(source.slice(start, start + maxLineLength))
  const before = printable(source.slice(start, index)).replace(/[^\t]/g, ' ')
  return { shown: `${lead}${shown}${tail}`, caret: `${lead === '' ? '' : ' '}${before}` }
}

/** A file may hold what would move a terminal's cursor, colour it, or turn the direction of writing. */
const printable = (text: string): string => text.replace(/(?!\t)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '�')
