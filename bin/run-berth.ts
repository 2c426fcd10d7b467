import { registerHost } from '../packages/cli/src/commands/host.ts'
import { main } from '../packages/cli/src/main.ts'
import { berthProgram } from './berth-program.ts'
import { version } from './version.ts'

const roles = ['server', 'agent', 'netd', 'supervise', 'store-tool'] as const
export type Role = (typeof roles)[number]

/** The role that these arguments ask this process to be; undefined: the command line, which knows the words about servers and says what is none. */
export function roleOf([word = '', ...rest]: readonly string[]): Role | undefined {
  const [next = '-'] = rest
  const asksForHelp = rest.includes('--help') || rest.includes('-h')
  if (word === 'server' && (asksForHelp || !(next === 'join' || next.startsWith('-')))) return undefined
  return roles.find((role) => role === word)
}

/** The CLI, with the commands that work on this machine itself. */
export const runBerth = (args: readonly string[]): Promise<number> =>
  main(args, { version, register: registerHost(berthProgram) })
