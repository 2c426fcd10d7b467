import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Client } from '../../../packages/api/src/index.ts'
import { freePort } from '../../../packages/api/src/testing/free-ports.testing.ts'
import { createApiClient } from '../../../packages/lab/src/simulated/api-client.ts'

export interface ServerProcessOptions {
  /** Holds the server's state, its socket and its log. */
  readonly directory: string
  /** Parts of `ServerConfig`, as another store. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Where agents dial in; absent: some free port. */
  readonly agentPort?: number
  /** Of Node: `--cpu-prof`. */
  readonly nodeOptions?: readonly string[]
}

/** As the executable runs. */
const asBuilt = ['--max-semi-space-size=2']

type Child = ChildProcessByStdio<null, Readable, null>

export interface Memory {
  readonly rssBytes: number
  readonly anonymousBytes: number
}

/** A real server in its own process, with addresses for thousands of nodes. */
export class ServerProcess implements AsyncDisposable {
  readonly client: Client
  readonly socketPath: string
  readonly #options: ServerProcessOptions
  readonly #child: Child

  private constructor(options: ServerProcessOptions, child: Child, socketPath: string) {
    this.#options = options
    this.#child = child
    this.socketPath = socketPath
    this.client = createApiClient({ socketPath })
  }

  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const { directory, nodeOptions = [], agentPort = await freePort() } = options
    const config = {
      stateDir: join(directory, 'state'),
      runDir: join(directory, 'run'),
      agentListen: `127.0.0.1:${agentPort}`,
      addressPool: '10.0.0.0/8',
      buildConcurrency: 4,
      ...options.config,
    }
    const program = join(import.meta.dirname, 'serve.ts')
    const log = openSync(join(directory, 'server.log'), 'a')
    const argv = [...asBuilt, ...nodeOptions, program, JSON.stringify(config)]
    const child = spawn(process.execPath, argv, { cwd: directory, stdio: ['ignore', 'pipe', log] }) as Child
    closeSync(log)
    // A test that is killed takes it along.
    const killToo = (): void => void child.kill('SIGKILL')
    process.once('exit', killToo)
    child.once('exit', () => process.off('exit', killToo))
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(
        `the server ended with code ${code}: ${readFileSync(join(directory, 'server.log'), 'utf8').slice(-2000)}`,
      )
    })
    ended.catch(() => undefined)
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [string]
    const { socketPath } = JSON.parse(line) as { readonly socketPath: string }
    return new ServerProcess({ ...options, agentPort }, child, socketPath)
  }

  get agentPort(): number {
    return this.#options.agentPort ?? 0
  }

  /** What it has logged: warnings and worse. */
  get log(): string {
    return readFileSync(join(this.#options.directory, 'server.log'), 'utf8')
  }

  /** As by a power cut. */
  async kill(): Promise<void> {
    if (this.hasEnded) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** It ended, by whatever. */
  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Stands still, with all connections open. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  get memory(): Memory {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const bytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
    return { rssBytes: bytes('VmRSS'), anonymousBytes: bytes('RssAnon') }
  }

  /** Processor time of all its threads, in seconds. */
  get cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  get storeBytes(): number {
    const sizes = ['store.db', 'store.db-wal'].map((name) =>
      statSync(join(this.#options.directory, 'state/server', name), { throwIfNoEntry: false }),
    )
    return sizes.reduce((sum, each) => sum + (each?.size ?? 0), 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.hasEnded) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGCONT')
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 60_000)
    await ended
    clearTimeout(timer)
  }
}
