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
/** Node would show the line of source as well, which in a bundle is a hundred thousand characters of every log. */
function failPlainly(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : `error: ${String(error)}`}\n`)
  process.exit(1)
}

async function runRole(name: Role): Promise<number> {
  process.on('uncaughtException', failPlainly)
  return await loadRole(name).run(args.slice(1))
}

const running = role === undefined ? runBerth(args) : runRole(role)
running.then(
  (code) => {
    process.exitCode = code
  },
  (error) => {
    const code = (error as { readonly code?: unknown } | undefined)?.code
    if (role !== undefined && code === undefined) failPlainly(error)
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = typeof code === 'string' && code.startsWith('usage.') ? 2 : 1
  },
)
