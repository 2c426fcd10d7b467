import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { DockerClient } from './docker-client.ts'
import { demultiplex } from './docker-stream.ts'
import type { CallOptions, ExecRequest, ExecSession } from './engine.ts'

const timeoutMs = 15_000
/** What a command gets between the polite signal and SIGKILL when nobody listens to it any more. */
const killGraceMs = 2_000

interface DockerExec {
  readonly Running: boolean
  readonly ExitCode: number | null
  readonly Pid: number
}

export async function startExec(
  client: DockerClient,
  containerId: string,
  request: ExecRequest,
  options: CallOptions,
): Promise<ExecSession> {
  const action = `run ${request.command[0] ?? 'a command'} in container ${containerId.slice(0, 12)}`
  const { signal } = options
  const created = await client.json<{ Id: string }>({
    action,
    method: 'POST',
    path: `/containers/${encodeURIComponent(containerId)}/exec`,
    body: {
      Cmd: request.command,
      Tty: request.tty,
      AttachStdin: request.stdin,
      AttachStdout: true,
      AttachStderr: true,
      ...(request.tty ? { Env: ['TERM=xterm-256color'] } : {}),
    },
    timeoutMs,
    signal,
  })
  const socket = await client.hijack({
    action,
    method: 'POST',
    path: `/exec/${created.Id}/start`,
    body: { Detach: false, Tty: request.tty },
    timeoutMs,
    signal,
  })
  const session = new DockerExecSession(client, created.Id, socket, request.tty, action)
  if (request.size !== undefined) await session.resize(request.size)
  return session
}

class DockerExecSession implements ExecSession {
  readonly output: ExecSession['output']
  readonly #client: DockerClient
  readonly #id: string
  readonly #socket: Duplex
  readonly #action: string
  #ended = false

  constructor(client: DockerClient, id: string, socket: Duplex, tty: boolean, action: string) {
    this.#client = client
    this.#id = id
    this.#socket = socket
    this.#action = action
    // A broken connection shows in `output`; without a listener it would be an uncaught error after it.
    socket.on('error', () => {})
    this.output = this.#read(tty)
  }

  async *#read(tty: boolean): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Buffer }> {
    if (tty) for await (const data of this.#socket as AsyncIterable<Buffer>) yield { stream: 'stdout', data }
    else yield* demultiplex(this.#socket)
    this.#ended = true
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    if (this.#socket.write(data)) return
    await Promise.race([once(this.#socket, 'drain'), once(this.#socket, 'close')])
  }

  endInput(): void {
    this.#socket.end()
  }

  /** Never throws: the command may have ended already, and a wrong size is no reason to take its output and exit code away. */
  async resize(size: { readonly columns: number; readonly rows: number }): Promise<void> {
    const call = {
      action: `resize the terminal of: ${this.#action}`,
      method: 'POST' as const,
      path: `/exec/${this.#id}/resize`,
      query: { w: size.columns, h: size.rows },
      timeoutMs,
    }
    await this.#client.json(call).catch(() => undefined)
  }

  async exitCode(): Promise<number> {
    return (await this.#inspect()).ExitCode ?? 0
  }

  /** Docker leaves a command running when its listener goes; we do not. The pid is the host's. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) {
      this.#socket.destroy()
      return
    }
    this.#socket.destroy()
    const state = await this.#inspect().catch(() => undefined)
    if (state?.Running !== true || state.Pid <= 0) return
    kill(state.Pid, 'SIGHUP')
    const timer = setTimeout(() => {
      this.#inspect()
        .then((later) => (later.Running && later.Pid > 0 ? kill(later.Pid, 'SIGKILL') : undefined))
        .catch(() => undefined)
    }, killGraceMs)
    timer.unref()
  }

  #inspect(): Promise<DockerExec> {
    return this.#client.json<DockerExec>({
      action: `read the exit code of: ${this.#action}`,
      method: 'GET',
      path: `/exec/${this.#id}/json`,
      timeoutMs,
    })
  }
}

/** The command may have ended in between. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone already.
  }
}
