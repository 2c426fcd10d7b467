/** The single executable's main script: small, so that the CLI starts fast. Roles are compiled from assets when they are asked for. */
import { createRequire } from 'node:module'
import { getAsset } from 'node:sea'
import { compileFunction } from 'node:vm'
import { type Role, roleOf, runBerth } from './run-berth.ts'

interface RoleModule {
  readonly run: (args: readonly string[]) => Promise<number>
}

function loadRole(role: Role): RoleModule {
  const source = getAsset(`roles/${role}.cjs`, 'utf8')
  const module = { exports: {} as RoleModule }
  const names = ['exports', 'require', 'module', '__filename', '__dirname']
  const run = compileFunction(source, names, { filename: `${role}.cjs` })
  run(module.exports, createRequire(process.execPath), module, process.execPath, '/')
  return module.exports
}

const args = process.argv.slice(2)
const role = roleOf(args)
const running = role === undefined ? runBerth(args) : loadRole(role).run(args.slice(1))
running.then(
  (code) => {
    process.exitCode = code
  },
  (error) => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    const code = (error as { readonly code?: unknown } | undefined)?.code
    process.exitCode = typeof code === 'string' && code.startsWith('usage.') ? 2 : 1
  },
)
