import { spawn } from 'node:child_process'
import { BerthError } from '@berth/core'

export interface RunOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  /** Last lines of both its outputs. */
  readonly tail: readonly string[]
}

const maxOutputBytes = 256 * 1024
const tailLines = 20
const maxLineLength = 500
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Runs a program of this machine to its end, with all that it has started ended when its time is over. Throws `configuration.command-failed` when it cannot be run. */
export async function runHere(argv: readonly string[], options: RunOptions): Promise<Ran> {
  const { timeoutMs, signal, env = {}, input } = options
  signal.throwIfAborted()
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    ...{ cwd: '/', detached: true, stdio: 'pipe' },
    env: { PATH: path, HOME: '/root', LANG: 'C.UTF-8', ...env },
  })
  const output: { stdout: Buffer[]; both: Buffer[]; bytes: number } = { stdout: [], both: [], bytes: 0 }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (data: Buffer) => {
      if (output.bytes > maxOutputBytes) output.both.splice(0, output.both.length / 2)
      output.bytes += data.length
      output.both.push(data)
      if (name === 'stdout' && output.bytes <= maxOutputBytes) output.stdout.push(data)
    })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input ?? '')
  const time = AbortSignal.timeout(timeoutMs)
  const limit = AbortSignal.any([time, signal])
  const kill = (): void => killGroup(child.pid)
  limit.addEventListener('abort', kill, { once: true })
  try {
    const code = await ended(child, argv)
    signal.throwIfAborted()
    const tail = lastLines(Buffer.concat(output.both).toString('utf8'))
    if (time.aborted) return { code: 124, stdout: '', tail: [...tail, `(ended after ${timeoutMs / 1000} s)`] }
    return { code, stdout: Buffer.concat(output.stdout).toString('utf8'), tail }
  } finally {
    limit.removeEventListener('abort', kill)
  }
}

/** Throws `configuration.command-failed` with its last lines as `logTail` when it does not end with 0. */
export async function mustRun(argv: readonly string[], options: RunOptions): Promise<Ran> {
  const ran = await runHere(argv, options)
  if (ran.code !== 0) throw commandFailed(argv, `ended with ${ran.code}`, ran.tail)
  return ran
}

export const commandFailed = (argv: readonly string[], how: string, logTail: readonly string[] = []): BerthError =>
  new BerthError('configuration.command-failed', `${argv.join(' ')} ${how}`, { details: { logTail } })

/** Resolves with the end of the program itself: what it has left behind may hold its output. */
function ended(child: ReturnType<typeof spawn>, argv: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(commandFailed(argv, error.code === 'ENOENT' ? 'is not there' : `cannot be started (${error.code})`)),
    )
    child.once('exit', (code) => {
      const timer = setTimeout(() => resolve(code ?? 137), lingerMs)
      child.once('close', () => {
        clearTimeout(timer)
        resolve(code ?? 137)
      })
    })
  })
}

const lingerMs = 500

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

const lastLines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trimEnd().slice(0, maxLineLength))
    .filter((line) => line !== '')
    .slice(-tailLines)
