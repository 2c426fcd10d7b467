import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { registerHost } from '../packages/cli/src/commands/host.ts'
import { main } from '../packages/cli/src/main.ts'
import { berthProgram } from './berth-program.ts'

/** Set by the bundler; in source form the version stands in package.json. */
declare const __BERTH_VERSION__: string | undefined

export const version: string =
  typeof __BERTH_VERSION__ === 'string'
    ? __BERTH_VERSION__
    : JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')).version

export type Role = 'server' | 'agent' | 'netd' | 'supervise'

export const isRole = (word: string): word is Role =>
  word === 'server' || word === 'agent' || word === 'netd' || word === 'supervise'

/** The CLI, with the commands that work on this machine itself. */
export const runBerth = (args: readonly string[]): Promise<number> =>
  main(args, { version, register: registerHost(berthProgram) })
