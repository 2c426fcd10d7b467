import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Relay, startRelay } from '../../../packages/lab/src/index.ts'
import { until } from '../load.ts'
import { ServerProcess } from '../simulated/server-process.ts'
import type { NamedClient } from './recording-client.ts'

export interface FaultServerOptions {
  readonly name: string
  readonly directory: string
  /** `host:port` of each etcd member. */
  readonly members: readonly string[]
}

/** A little longer than by default, for a busy machine; shorter than most faults last. */
const leaseTimes = { ttlMs: 3_000, keepAliveMs: 300, marginMs: 300 }
const listen = '127.0.0.1'

/** A server whose ways to the members of its store and to its agents may be bad. */
export class FaultServer implements AsyncDisposable {
  readonly name: string
  readonly storeLines: readonly Relay[]
  /** What agents dial. */
  readonly agentLine: Relay
  readonly #options: FaultServerOptions
  #process: ServerProcess

  private constructor(options: FaultServerOptions, storeLines: readonly Relay[], agentLine: Relay, own: ServerProcess) {
    this.name = options.name
    this.#options = options
    this.storeLines = storeLines
    this.agentLine = agentLine
    this.#process = own
  }

  static async start(options: FaultServerOptions, secretKey?: string): Promise<FaultServer> {
    const { directory, members } = options
    const own = join(directory, 'state/server')
    mkdirSync(own, { recursive: true, mode: 0o700 })
    if (secretKey !== undefined) writeFileSync(join(own, 'secret.key'), secretKey, { mode: 0o600 })
    const lines: Relay[] = []
    for (const member of members) {
      const [address = '', port = ''] = member.split(':')
      lines.push(await startRelay({ to: { address, port: Number(port) }, listen }))
    }
    const started = await startProcess(options, lines)
    const agentLine = await startRelay({ to: { address: listen, port: started.agentPort }, listen })
    return new FaultServer(options, lines, agentLine, started)
  }

  get client(): NamedClient {
    return { name: this.name, client: this.#process.client }
  }

  get hasEnded(): boolean {
    return this.#process.hasEnded
  }

  get log(): string {
    return this.#process.log
  }

  pause(): void {
    this.#process.pause()
  }

  resume(): void {
    this.#process.resume()
  }

  async kill(): Promise<void> {
    await this.#process.kill()
  }

  /** As its supervisor does, until it stays. */
  async revive(): Promise<void> {
    if (!this.hasEnded) return
    const { agentPort } = this.#process
    this.#process = await until(
      `server ${this.name} to start again`,
      () => startProcess(this.#options, this.storeLines, agentPort),
      120_000,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill()
    for (const line of [...this.storeLines, this.agentLine]) await line[Symbol.asyncDispose]()
  }
}

function startProcess({ name, directory }: FaultServerOptions, lines: readonly Relay[], agentPort?: number) {
  const members = lines.map(({ port }) => `${listen}:${port}`).join(',')
  return ServerProcess.start({
    directory,
    ...(agentPort === undefined ? {} : { agentPort }),
    // Everything is kept, since the test reads it from the beginning.
    config: { serverName: name, leaseTimes, store: { url: `etcd://${members}?compaction=off` } },
  })
}
