import { registerHost } from '../packages/cli/src/commands/host.ts'
import { main } from '../packages/cli/src/main.ts'
import { berthProgram } from './berth-program.ts'
import { version } from './version.ts'

export type Role = 'server' | 'agent' | 'netd' | 'supervise'

/** What `berth server` is told from the command line's words about servers. */
const serverWords = new Set(['ls', 'token', 'help', '--help', '-h'])

/** The role that these arguments ask this process to be; undefined: the command line. */
export function roleOf([word = '', next = '']: readonly string[]): Role | undefined {
  if (word === 'server' && serverWords.has(next)) return undefined
  return word === 'server' || word === 'agent' || word === 'netd' || word === 'supervise' ? word : undefined
}

/** The CLI, with the commands that work on this machine itself. */
export const runBerth = (args: readonly string[]): Promise<number> =>
  main(args, { version, register: registerHost(berthProgram) })
