#!/usr/bin/env node
/** The `berth` program in source form: the CLI, and the roles of this machine's processes. The executable has `executable.ts` instead. */
import { BerthError } from '../packages/core/src/index.ts'
import { type Role, roleOf, runBerth } from './run-berth.ts'

const roles: { readonly [R in Role]: () => Promise<{ run: (args: readonly string[]) => Promise<number> }> } = {
  server: () => import('./roles/server.ts'),
  agent: () => import('./roles/agent.ts'),
  netd: () => import('./roles/netd.ts'),
  supervise: () => import('./roles/supervise.ts'),
  'store-tool': () => import('./roles/store-tool.ts'),
}

const args = process.argv.slice(2)
const role = roleOf(args)
try {
  process.exitCode = role === undefined ? await runBerth(args) : await (await roles[role]()).run(args.slice(1))
} catch (error) {
  if (!(error instanceof BerthError)) throw error
  process.stderr.write(`error: ${error.message}\n`)
  process.exitCode = error.code.startsWith('usage.') ? 2 : 1
}
