import { BerthError, type Finding } from '@berth/core'
import type { Output } from '../output/print.ts'

/** One line each: what stands in the way, and what can be done about it. */
export const findingLine = ({ what, remedy }: Finding): string => `${what}: ${remedy}`

export function printFindings(findings: readonly Finding[], { style, note }: Pick<Output, 'style' | 'note'>): void {
  for (const each of findings) {
    const mark = each.kind === 'blocked' ? style.red('✘') : style.yellow('!')
    note(`${mark} ${findingLine(each)}`)
  }
}

/** Everything at once, for one error. Throws `node.not-ready`. */
export function refuseMachine(machine: string, findings: readonly Finding[], mayInstall: boolean): void {
  const found = findings.filter(
    ({ kind }) => kind !== 'warning' && !(kind === 'package' && mayInstall) && kind !== 'start',
  )
  if (found.length === 0) return
  const hint = found.some(({ kind }) => kind === 'package') ? '; --install installs what is missing' : ''
  throw new BerthError(
    'node.not-ready',
    `${machine} cannot become a node yet: ${found.map((each) => `${each.what} (${each.remedy})`).join('; ')}${hint}; then repeat the command`,
    { details: { found } },
  )
}
