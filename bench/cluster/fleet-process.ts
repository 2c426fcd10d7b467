import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface FleetState {
  readonly linked: number
  readonly assigned?: number
  readonly running?: number
  readonly ready?: number
  readonly rssBytes?: number
}

export interface FleetProcessOptions {
  readonly socketPath: string
  readonly nodes: number
  readonly credentialsFile: string
  readonly labels: readonly string[]
  readonly log: (message: string) => void
  readonly nodeOptions?: readonly string[]
  readonly cwd: string
}

const lab = join(import.meta.dirname, '../../packages/lab/src/main.ts')

/** `lab simulate` in a process of its own. */
export class FleetProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  /** What it said last. */
  state: FleetState = { linked: 0 }
  /** Seconds that enrolment and linking took. */
  readonly seconds: { enrol?: number; link?: number } = {}
  readonly #linked = Promise.withResolvers<void>()

  constructor(options: FleetProcessOptions) {
    const { socketPath, nodes, credentialsFile, labels, nodeOptions = [], cwd } = options
    const args = [
      'simulate',
      '--json',
      '--nodes',
      String(nodes),
      '--socket',
      socketPath,
      '--credentials',
      credentialsFile,
    ]
    for (const label of labels) args.push('--label', label)
    this.#child = spawn(process.execPath, [...nodeOptions, lab, ...args], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.once('exit', (code) => this.#linked.reject(new Error(`the simulated nodes ended with code ${code}`)))
    if (this.#child.stdout !== null) createInterface(this.#child.stdout).on('line', (line) => this.#read(line, options))
  }

  /** Resolves when all nodes have been linked. */
  async linked(signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<never>()
    const stop = (): void => stopped.reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    try {
      await Promise.race([this.#linked.promise, stopped.promise])
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#linked.promise.catch(() => undefined)
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(timer)
  }

  #read(line: string, { log }: FleetProcessOptions): void {
    const said = JSON.parse(line) as FleetState & { readonly enrolled?: number; readonly seconds?: number }
    if (said.enrolled !== undefined) {
      this.seconds.enrol = said.seconds ?? 0
      log(`${said.enrolled} nodes enrolled in ${said.seconds} s`)
    } else if (said.seconds !== undefined) {
      this.seconds.link = said.seconds
      log(`${said.linked} nodes linked in ${said.seconds} s`)
      this.#linked.resolve()
    } else this.state = said
  }
}
