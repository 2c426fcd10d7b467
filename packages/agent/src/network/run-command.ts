import { spawn } from 'node:child_process'
import { BerthError } from '@berth/core'

export interface CommandOptions {
  readonly signal?: AbortSignal | undefined
  readonly input?: string
  readonly timeoutMs?: number
}

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, whatever its exit code. */
export type Exec = (file: string, args: readonly string[], options?: CommandOptions) => Promise<CommandResult>

const defaultTimeoutMs = 10_000
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

/** Throws `network.command-missing` when there is no such program, `network.command-failed` when it did not end in time. */
export const runCommand: Exec = async (file, args, options = {}) => {
  options.signal?.throwIfAborted()
  const timeout = AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal])
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: environment, signal, killSignal: 'SIGKILL' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    // A program that ends without reading its input closes the pipe; its exit code tells why.
    child.stdin.on('error', () => {}).end(options.input ?? '')
    child.once('error', (cause) => reject(options.signal?.aborted ? options.signal.reason : failureOf(file, cause)))
    child.once('close', (code) => resolve({ code: code ?? 128, stdout, stderr }))
  })
}

function failureOf(file: string, cause: Error): BerthError {
  if ('code' in cause && cause.code === 'ENOENT') {
    return new BerthError('network.command-missing', `run ${file}: it is not installed; install its package`, { cause })
  }
  const why = cause.name === 'AbortError' ? 'it did not end in time' : cause.message
  return new BerthError('network.command-failed', `run ${file}: ${why}`, { cause, retryable: true })
}

/** The output of a program that must succeed. Throws `network.command-failed` with what it said. */
export async function mustRun(
  exec: Exec,
  file: string,
  args: readonly string[],
  options?: CommandOptions,
): Promise<string> {
  const { code, stdout, stderr } = await exec(file, args, options)
  if (code === 0) return stdout
  const said = (stderr.trim() || stdout.trim()).slice(0, 1000)
  throw new BerthError('network.command-failed', `${file} ${args.join(' ')}: exit code ${code}: ${said}`, {
    details: { code, stderr: said },
  })
}
