import { spawn } from 'node:child_process'
import { BerthError } from '@berth/core'
import type { HostConfig, HostPaths } from '@berth/host'

/** How the CLI is called again for the roles (`server`, `agent` …). */
export type Program = () => readonly string[]

export const folderArguments = (paths: HostPaths): string[] => [
  '--state-dir',
  paths.stateDir,
  '--run-dir',
  paths.runDir,
]

/** The agent's own half of joining; the token goes by standard input, since arguments can be seen by everybody. */
export async function enrol(
  paths: HostPaths,
  config: HostConfig,
  program: readonly string[],
  server: string,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  const args = ['agent', 'join', ...folderArguments(paths), '--server', server]
  const { problem } = await runRole(program, args, token, signal)
  if (problem !== '') throw new BerthError('node.join-failed', `join as ${config.node}: ${problem}`)
}

export interface RoleEnd {
  /** What it complained of; empty when it went well. */
  readonly problem: string
  readonly output: string
}

/** Runs a role of this program to its end. */
export function runRole(
  program: readonly string[],
  args: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<RoleEnd> {
  const [command = '', ...first] = program
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...first, ...args], { stdio: ['pipe', 'pipe', 'pipe'], signal })
    const output: Buffer[] = []
    const errors: Buffer[] = []
    child.stdout.on('data', (chunk) => output.push(chunk))
    child.stderr.on('data', (chunk) => errors.push(chunk))
    child.once('error', reject)
    child.once('close', (code) => {
      const text = Buffer.concat(errors)
        .toString()
        .trim()
        .replace(/^error: /, '')
      const problem = code === 0 ? '' : text === '' ? `it ended with exit code ${code}` : text
      resolve({ problem, output: Buffer.concat(output).toString() })
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
