import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { BerthError } from '@berth/core'
import type { ExecOptions, ExecResult } from './lab.ts'

/** What a command sees of the caller's environment: where to find programs, and no more, so that a host is the same under every caller. */
export const minimalEnvironment = (): Record<string, string> => ({
  PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: process.env.HOME ?? '/root',
  LANG: 'C.UTF-8',
  TERM: process.env.TERM ?? 'dumb',
})

export type RunOptions = ExecOptions

/**
 * Runs a command to its end. It has a process group of its own, which is killed as a whole on abort (a process entered into another
 * process namespace is in the group too).
 */
export function runCommand(argv: readonly string[], options: RunOptions = {}): Promise<ExecResult> {
  options.signal?.throwIfAborted()
  const [file, ...args] = argv
  if (file === undefined) throw new BerthError('lab.command-empty', 'run a command: the argument list is empty')
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...minimalEnvironment(), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const stdout = collect(child, 'stdout')
  const stderr = collect(child, 'stderr')
  // A command that does not read its input closes the pipe; its exit code tells the story.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    const abort = () => {
      killGroup(child)
      reject(options.signal?.reason)
    }
    options.signal?.addEventListener('abort', abort, { once: true })
    child.once('error', (cause) => {
      options.signal?.removeEventListener('abort', abort)
      reject(new BerthError('lab.command-not-started', `start ${file}: ${cause.message}`, { cause }))
    })
    child.once('close', (code, signal) => {
      options.signal?.removeEventListener('abort', abort)
      resolve({ code: exitCode(code, signal), stdout: stdout(), stderr: stderr() })
    })
  })
}

/** The same, for a command that must succeed: gives its stdout, or throws `lab.command-failed` with its stderr. */
export async function mustRun(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await runCommand(argv, options)
  if (result.code === 0) return result.stdout
  const said = (result.stderr.trim() || result.stdout.trim()).slice(-2000)
  throw new BerthError('lab.command-failed', `${argv.join(' ')}: exit code ${result.code}${said ? `: ${said}` : ''}`, {
    details: { code: result.code },
  })
}

const collect = (child: ChildProcess, stream: 'stdout' | 'stderr') => {
  const chunks: Buffer[] = []
  child[stream]?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}

const killGroup = (child: ChildProcess) => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The group is gone already.
  }
}

const exitCode = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal])
