import type { ConfigPlanView, ItemChangeView, NodeConfigPlanView } from '@berth/api'
import type { Style } from './style.ts'

/** What a node configuration would change, node by node; nodes for which it is the same are shown together. */
export function formatConfigPlan({ version, nodes }: ConfigPlanView, style: Style): string {
  const head = style.bold(`version ${version} of the node configuration`)
  if (nodes.length === 0) return `${head}: no node matches`
  const groups = Map.groupBy(nodes, ({ node: _, ...rest }) => JSON.stringify(rest))
  const parts = [...groups.values()].map((each) => formatNodes(each, style))
  return [head, ...parts].join('\n')
}

function formatNodes(nodes: readonly NodeConfigPlanView[], style: Style): string {
  const [first] = nodes
  if (first === undefined) return ''
  const lines = [`  ${nodes.map(({ node }) => node).join(', ')}: ${summaryOf(first, style)}`]
  for (const change of first.changes) lines.push(...changeLines(change, style).map((line) => `    ${line}`))
  for (const key of first.leftAsFound) lines.push(`    ${key}: changed on the machine since, left as it is`)
  for (const problem of first.problems) lines.push(`    ${style.red('✘')} ${problem}`)
  return lines.join('\n')
}

function summaryOf({ changes, docker, problems, unknown }: NodeConfigPlanView, style: Style): string {
  if (unknown !== undefined) return style.yellow(`not known: ${unknown}`)
  if (problems.length > 0) return style.red('cannot be done')
  if (changes.length === 0) return 'no changes'
  const effect = { none: '', reload: ', dockerd is reloaded', restart: ', dockerd is restarted (containers run on)' }[
    docker
  ]
  return `${changes.length} ${changes.length === 1 ? 'change' : 'changes'}${effect}`
}

/** As one line, files line by line. */
export function changeLines({ key, before, after }: ItemChangeView, style: Style): string[] {
  if (key.startsWith('package/'))
    return [after === null ? style.red(`- ${key}: is removed`) : style.green(`+ ${key}: is installed`)]
  if (key.startsWith('file/')) return fileLines(key, before as FileLike | null, after as FileLike | null, style)
  if (before === null) return [style.green(`+ ${key}: ${show(after)}`)]
  if (after === null) return [style.red(`- ${key}: ${show(before)}`)]
  return [style.yellow(`~ ${key}: ${show(before)} → ${show(after)}`)]
}

interface FileLike {
  readonly content?: string
  readonly mode: string
  readonly owner: string
}

const maxFileLines = 40

function fileLines(key: string, before: FileLike | null, after: FileLike | null, style: Style): string[] {
  const about = (file: FileLike): string => `${file.mode} ${file.owner}`
  const name = key.slice('file'.length)
  const head =
    before === null
      ? style.green(`+ ${name} (${after === null ? '' : about(after)})`)
      : after === null
        ? style.red(`- ${name}`)
        : style.yellow(`~ ${name}${about(before) === about(after) ? '' : ` (${about(before)} → ${about(after)})`}`)
  if ((before ?? after)?.content === undefined || (after ?? before)?.content === undefined)
    return [head, '    (not everybody may read it: its content is not shown)']
  const lines = lineDiff(before?.content ?? '', after?.content ?? '')
  const shown = lines.slice(0, maxFileLines).map(([mark, text]) => paint(mark, `    ${mark} ${text}`, style))
  return [head, ...shown, ...(lines.length > maxFileLines ? [`    … ${lines.length - maxFileLines} lines more`] : [])]
}

const paint = (mark: string, line: string, style: Style): string =>
  mark === '+' ? style.green(line) : mark === '-' ? style.red(line) : line

/** What both begin and end with is left out. */
function lineDiff(before: string, after: string): (readonly ['+' | '-', string])[] {
  const [old, next] = [linesOf(before), linesOf(after)]
  let start = 0
  while (start < old.length && start < next.length && old[start] === next[start]) start += 1
  let end = 0
  while (end < old.length - start && end < next.length - start && old.at(-1 - end) === next.at(-1 - end)) end += 1
  return [
    ...old.slice(start, old.length - end).map((line) => ['-', line] as const),
    ...next.slice(start, next.length - end).map((line) => ['+', line] as const),
  ]
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 100 ? `${text.slice(0, 97)}…` : text
}
