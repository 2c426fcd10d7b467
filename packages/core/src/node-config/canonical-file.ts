import { splitCommand } from '../spec/command-line.ts'
import type { IssueList, SpecPath } from '../spec/spec-issue.ts'
import type { NodeFile } from './node-config.ts'
import type { FileDocument, FilesBeside } from './node-config-document.ts'

const maxFileLength = 64 * 1024

export interface FileContext {
  /** Undefined: not read yet. */
  readonly beside: FilesBeside | undefined
  /** Filled with the paths that are needed. */
  readonly needs: Set<string>
  readonly issues: IssueList
}

/** Places that have a way of their own to be configured, or belong to the kernel. */
const refusedPlaces: readonly (readonly [RegExp, string])[] = [
  [/^\/etc\/docker\/daemon\.json$/, 'write it as `docker.options`'],
  [/^\/etc\/sysctl\.d\/90-berth\.conf$/, 'write it as `sysctls`'],
  [/^\/(proc|sys|dev|run)(\/|$)/, 'it would be gone with the next boot'],
  [/^\/(var\/lib\/(berth|docker|containerd|dpkg)|run\/berth)(\/|$)/, 'it belongs to another program'],
]

export function canonicalFile(
  name: string,
  written: FileDocument,
  path: SpecPath,
  context: FileContext,
): NodeFile | undefined {
  const { issues } = context
  const problem = placeProblem(name)
  if (problem !== undefined) {
    issues.add(path, ...problem)
    return undefined
  }
  const { mode = '0644', owner = 'root:root' } = written
  if (!/^0?[0-7]{3,4}$/.test(mode))
    issues.add([...path, 'mode'], `${JSON.stringify(mode)} is no mode`, {
      suggestion: 'write four digits in quotes, such as "0644"',
    })
  if (!/^[a-z0-9_][a-z0-9_.-]{0,31}(:[a-z0-9_][a-z0-9_.-]{0,31})?$/.test(owner))
    issues.add([...path, 'owner'], `${JSON.stringify(owner)} is no owner: write user:group`)
  const content = contentOf(written, path, context)
  const run = runOf(written.run, [...path, 'run'], issues)
  if (content === undefined) return undefined
  return { content, mode: mode.padStart(4, '0'), owner: owner.includes(':') ? owner : `${owner}:${owner}`, ...run }
}

function placeProblem(name: string): [string, { readonly suggestion?: string; readonly atKey: true }] | undefined {
  const plain = /^(\/[^/\0\n]+)+$/.test(name) && !/\/\.{1,2}(\/|$)/.test(name)
  if (!plain) return [`${JSON.stringify(name)} is no absolute path of a file`, { atKey: true }]
  const found = refusedPlaces.find(([pattern]) => pattern.test(name))
  return found && [`${name} cannot be a file of the node configuration`, { suggestion: found[1], atKey: true }]
}

function contentOf({ content, from }: FileDocument, path: SpecPath, context: FileContext): string | undefined {
  const { issues, beside, needs } = context
  if ((content === undefined) === (from === undefined)) {
    issues.add(path, content === undefined ? 'a file needs its content' : 'a file has either `content` or `from`', {
      suggestion: 'write `content: |` with the text below it, or `from: PATH` beside this document',
    })
    return undefined
  }
  if (content !== undefined) return checked(content, [...path, 'content'], issues)
  if (from === undefined || !isBeside(from)) {
    issues.add([...path, 'from'], `${JSON.stringify(from)} is no path beside this document`, {
      suggestion: 'write one such as files/motd',
    })
    return undefined
  }
  needs.add(from)
  if (beside === undefined) return ''
  const text = Object.hasOwn(beside, from) ? beside[from] : undefined
  if (text === undefined) issues.add([...path, 'from'], `there is no file ${from} beside this document`)
  return text === undefined ? undefined : checked(text, [...path, 'from'], issues)
}

const isBeside = (path: string): boolean =>
  /^[^/\0\n]+(\/[^/\0\n]+)*$/.test(path) && !path.split('/').some((part) => part === '..' || part === '.')

/** Versions are kept and shown in clear. */
function checked(text: string, path: SpecPath, issues: IssueList): string {
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text))
    issues.add(path, 'this holds a private key, and versions of the node configuration are kept in clear', {
      suggestion: 'bring it onto the machine in another way, or give it to instances as a secret',
    })
  if (text.length > maxFileLength) issues.add(path, 'a file has at most 65,536 characters')
  return text
}

function runOf(
  run: string | readonly string[] | undefined,
  path: SpecPath,
  issues: IssueList,
): { readonly run?: readonly string[] } {
  if (run === undefined) return {}
  if (typeof run !== 'string') return run.length === 0 ? {} : { run }
  const words = issues.take(path, splitCommand(run))
  return words === undefined ? {} : { run: words }
}
