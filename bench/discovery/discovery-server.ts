import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ServerProcess } from '../../e2e/support/simulated/server-process.ts'
import { freePort } from '../../packages/api/src/testing/free-ports.testing.ts'

/** A server in a process of its own that answers programs made for Consul, and a token that may write keys. */
export class DiscoveryServer implements AsyncDisposable {
  readonly port: number
  readonly #token: string
  readonly #server: ServerProcess
  readonly #directory: string

  private constructor(server: ServerProcess, directory: string, port: number, token: string) {
    this.#server = server
    this.#directory = directory
    this.port = port
    this.#token = token
  }

  static async start(): Promise<DiscoveryServer> {
    const directory = await mkdtemp(join(tmpdir(), 'berth-bench-discovery-'))
    const port = await freePort()
    const consul = { listen: `127.0.0.1:${port}`, anonymous: 'read' }
    const server = await ServerProcess.start({ directory, config: { consul } })
    const body = { name: 'bench', owner: 'bench', role: 'deployer' as const }
    const { token } = await server.client.call('createToken', { body })
    return new DiscoveryServer(server, directory, port, token)
  }

  /** Processor time of all its threads, in ms. */
  get cpuMs(): number {
    return this.#server.cpuSeconds * 1_000
  }

  async put(key: string, value: string): Promise<void> {
    const headers = { 'X-Consul-Token': this.#token }
    const answer = await fetch(`http://127.0.0.1:${this.port}/v1/kv/${key}`, { method: 'PUT', body: value, headers })
    if ((await answer.text()) !== 'true') throw new Error(`put ${key}: status ${answer.status}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
    await rm(this.#directory, { recursive: true, force: true })
  }
}
