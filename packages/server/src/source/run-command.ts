import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { BerthError } from '@berth/core'

export interface CommandOptions {
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly signal?: AbortSignal | undefined
  /** Written to standard input, which is empty otherwise. */
  readonly input?: string
}

export interface CommandResult {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
}

export interface RunOptions extends CommandOptions {
  readonly timeoutMs: number
  readonly maxOutputBytes?: number
}

const killGraceMs = 2_000
const maxErrorBytes = 64 * 1024
const defaultMaxOutputBytes = 16 * 1024 * 1024

/** Thrown by {@link runCommand}; the caller knows what was being attempted and says so. */
export class CommandTimeoutError extends Error {}

/**
 * Runs a program to its end, in a process group of its own, so that helpers of it (ssh, git's remote helpers) end with it. A non-zero
 * exit code is a result; an abort rejects with the signal's reason once the group is gone.
 */
export async function runCommand(argv: readonly string[], options: RunOptions): Promise<CommandResult> {
  options.signal?.throwIfAborted()
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
  await using command = new Command(argv, options, signal)
  const stdout = await collect(command.child, options.maxOutputBytes ?? defaultMaxOutputBytes, argv)
  const code = await command.exited
  if (timeout.aborted && options.signal?.aborted !== true) throw new CommandTimeoutError()
  options.signal?.throwIfAborted()
  return { code, stdout, stderr: command.errorText() }
}

/**
 * The standard output of a program, which starts with the first read. Fails with what `failure` makes of a non-zero exit; ends the
 * program when its reader goes away.
 */
export function streamCommand(
  argv: readonly string[],
  options: CommandOptions,
  failure: (result: { readonly code: number; readonly stderr: string }) => BerthError,
): Readable {
  async function* read(): AsyncGenerator<Buffer> {
    options.signal?.throwIfAborted()
    await using command = new Command(argv, options, options.signal)
    for await (const chunk of command.child.stdout ?? []) yield chunk
    const code = await command.exited
    options.signal?.throwIfAborted()
    if (code !== 0) throw failure({ code, stderr: command.errorText() })
  }
  return Readable.from(read(), { objectMode: false })
}

/** A started program that ends, with its whole group, when it is disposed of or the signal says so. */
class Command implements AsyncDisposable {
  readonly child: ChildProcess
  /** 127 when it could not be started. */
  readonly exited: Promise<number>
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = () => this.#kill('SIGTERM')
  #stderr = ''
  /** Its output is at its end too: nothing of the group is left that matters. Until then the group's id cannot have been reused. */
  #closed = false

  constructor(argv: readonly string[], options: CommandOptions, signal: AbortSignal | undefined) {
    const [program = '', ...args] = argv
    this.child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...options.env },
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    this.exited = this.#watch(program)
    this.#signal = signal
    if (signal?.aborted === true) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
    // A program that does not read its input is no failure of ours; its exit code tells.
    this.child.stdin?.on('error', () => {})
    this.child.stdin?.end(options.input)
  }

  errorText(): string {
    return this.#stderr.trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#kill('SIGTERM')
    this.child.stdout?.destroy()
    await this.exited
  }

  async #watch(program: string): Promise<number> {
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-maxErrorBytes)
    })
    try {
      const [code] = await once(this.child, 'close')
      return typeof code === 'number' ? code : 128
    } catch (error) {
      this.#stderr = `${program}: ${(error as Error).message}`
      return 127
    } finally {
      this.#closed = true
    }
  }

  #kill(how: NodeJS.Signals): void {
    const { pid } = this.child
    if (pid === undefined || this.#closed) return
    killGroup(pid, how)
    if (how === 'SIGKILL') return
    const timer = setTimeout(() => this.#kill('SIGKILL'), killGraceMs)
    this.child.once('close', () => clearTimeout(timer))
  }
}

function killGroup(pid: number, how: NodeJS.Signals): void {
  try {
    process.kill(-pid, how)
  } catch {
    // Gone already.
  }
}

async function collect(child: ChildProcess, maxBytes: number, argv: readonly string[]): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of child.stdout ?? []) {
    size += chunk.length
    if (size > maxBytes) {
      throw new BerthError('source.output-too-large', `${argv[0]} printed more than ${maxBytes} bytes and was stopped`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
