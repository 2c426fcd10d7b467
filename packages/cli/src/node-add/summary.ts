import type { Finding } from '@berth/core'
import { findingLine } from '../commands/print-findings.ts'
import type { BroughtIn } from './bring-in.ts'

const namesShown = 3

/** Each finding once, with the nodes that it is about: hundreds of like machines have the same ones. */
export function findingLines(done: readonly Pick<BroughtIn, 'node' | 'findings'>[]): string[] {
  const nodes = new Map<string, string[]>()
  for (const { node, findings } of done)
    for (const each of findings) nodes.set(lineOf(each), [...(nodes.get(lineOf(each)) ?? []), node])
  return [...nodes].map(([line, names]) => `${someOf(names)}: ${line}`)
}

const lineOf = (finding: Finding): string => findingLine(finding)

/** `a`, `a, b, c`, `a, b, c and 197 more` */
function someOf(names: readonly string[]): string {
  const shown = names.slice(0, namesShown).join(', ')
  return names.length > namesShown ? `${shown} and ${names.length - namesShown} more` : shown
}
