import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { BerthError } from '@berth/core'
import type { ExecRequest, ExecSession } from '../engine/engine.ts'

type Chunk = { readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const environment = (): Record<string, string> => ({
  PATH: path,
  HOME: process.env.HOME ?? '/root',
  LANG: process.env.LANG ?? 'C.UTF-8',
  USER: 'root',
})
const script = '/usr/bin/script'

/** A command on this machine itself, which is that node, as root. Throws `node.command-not-found`, `node.no-terminal`. */
export async function startHostCommand(node: string, request: ExecRequest): Promise<ExecSession> {
  const { command, tty, size } = request
  const child = tty ? startAtTerminal(node, command, size) : start(command, environment())
  child.stdin.on('error', () => undefined)
  try {
    await once(child, 'spawn')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT' ? `there is no such program (looked for in ${path})` : `it cannot be started (${code})`
    throw new BerthError('node.command-not-found', `run ${command[0]} on node ${node}: ${why}`, { cause: error })
  }
  return new HostCommand(child, tty)
}

const start = (argv: readonly string[], env: Record<string, string>): ChildProcessWithoutNullStreams =>
  spawn(argv[0] ?? '', argv.slice(1), { cwd: '/', env, stdio: 'pipe', detached: true })

/**
 * Node makes no terminals, and script(1) of util-linux, which is everywhere, does. It takes a text for the shell: the text is the same for
 * every command of so many words, which themselves come by the environment.
 */
function startAtTerminal(
  node: string,
  command: readonly string[],
  size: ExecRequest['size'],
): ChildProcessWithoutNullStreams {
  if (!existsSync(script))
    throw new BerthError(
      'node.no-terminal',
      `run ${command[0]} with a terminal on node ${node}: it has no ${script} (util-linux); leave -t out`,
    )
  const names = command.map((_, index) => `BERTH_WORD_${index}`)
  const words = Object.fromEntries(command.map((word, index) => [`BERTH_WORD_${index}`, word]))
  const { columns = 80, rows = 24 } = size ?? {}
  const text = [
    `stty columns ${columns} rows ${rows}`,
    `set -- ${names.map((name) => `"$${name}"`).join(' ')}`,
    `unset ${names.join(' ')}`,
    'exec "$@"',
  ].join('; ')
  const env = { ...environment(), TERM: 'xterm-256color', SHELL: '/bin/sh', ...words }
  return start([script, '-q', '-e', '-f', '-c', text, '/dev/null'], env)
}

class HostCommand implements ExecSession {
  readonly output: AsyncIterable<Chunk>
  readonly #child: ChildProcessWithoutNullStreams
  readonly #tty: boolean
  readonly #ended: Promise<number>

  constructor(child: ChildProcessWithoutNullStreams, tty: boolean) {
    this.#child = child
    this.#tty = tty
    this.#ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(codeOf(code, signal))))
    this.output = outputOf(child)
  }

  async write(data: Uint8Array): Promise<void> {
    const { stdin } = this.#child
    if (stdin.writable && !stdin.write(data)) await Promise.race([once(stdin, 'drain'), once(stdin, 'close')])
  }

  endInput(): void {
    this.#child.stdin.end()
  }

  /** By the other end of the terminal; the kernel tells the command. */
  async resize({ columns, rows }: { readonly columns: number; readonly rows: number }): Promise<void> {
    const terminal = this.#tty ? terminalOf(this.#child.pid) : undefined
    if (terminal === undefined || ![columns, rows].every((each) => Number.isInteger(each) && each > 0)) return
    const stty = spawn('stty', ['-F', terminal, 'columns', String(columns), 'rows', String(rows)], { stdio: 'ignore' })
    await new Promise<void>((resolve) => stty.once('error', () => resolve()).once('close', () => resolve()))
  }

  exitCode(): Promise<number> {
    return this.#ended
  }

  /** With all that it has started: at a terminal by its hang-up, else by its process group. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It has just ended.
    }
    await this.#ended
  }
}

/** Both streams as they come. A command that has ended may have left others that hold its output: they are not waited for. */
async function* outputOf(child: ChildProcessWithoutNullStreams): AsyncGenerator<Chunk> {
  const chunks: Chunk[] = []
  let wake: (() => void) | undefined
  let isOver = false
  const awaken = () => wake?.()
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (data: Buffer) => {
      chunks.push({ stream, data })
      child[stream].pause()
      awaken()
    })
  }
  const over = () => {
    isOver = true
    awaken()
  }
  child.once('close', over)
  child.once('exit', () => setTimeout(over, lingerMs))
  for (;;) {
    const chunk = chunks.shift()
    if (chunk !== undefined) {
      yield chunk
      child[chunk.stream].resume()
    } else if (isOver) return
    else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
}

const lingerMs = 500

function terminalOf(pid: number | undefined): string | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    const terminal = readlinkSync(`/proc/${first}/fd/0`)
    return terminal.startsWith('/dev/pts/') ? terminal : undefined
  } catch {
    return undefined
  }
}

const codeOf = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal])
