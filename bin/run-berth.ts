import { registerHost } from '../packages/cli/src/commands/host.ts'
import { main } from '../packages/cli/src/main.ts'
import { berthProgram } from './berth-program.ts'
import { version } from './version.ts'

export type Role = 'server' | 'agent' | 'netd' | 'supervise'

export const isRole = (word: string): word is Role =>
  word === 'server' || word === 'agent' || word === 'netd' || word === 'supervise'

/** The CLI, with the commands that work on this machine itself. */
export const runBerth = (args: readonly string[]): Promise<number> =>
  main(args, { version, register: registerHost(berthProgram) })
