import { registerHost } from '../packages/cli/src/commands/host.ts'
import { main } from '../packages/cli/src/main.ts'
import { berthProgram } from './berth-program.ts'
import { version } from './version.ts'

const roles = ['server', 'agent', 'netd', 'supervise', 'store-tool'] as const
export type Role = (typeof roles)[number]

/** What `berth server` is told from the command line's words about servers. */
const serverWords = new Set(['ls', 'token', 'help', '--help', '-h'])

/** The role that these arguments ask this process to be; undefined: the command line. */
export function roleOf([word = '', next = '']: readonly string[]): Role | undefined {
  if (word === 'server' && serverWords.has(next)) return undefined
  return roles.find((role) => role === word)
}

/** The CLI, with the commands that work on this machine itself. */
export const runBerth = (args: readonly string[]): Promise<number> =>
  main(args, { version, register: registerHost(berthProgram) })
