import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InstanceView } from '../../../packages/api/src/index.ts'
import { enrolNodes, type NodeCredentials, SimulatedFleet } from '../../../packages/lab/src/simulated/index.ts'
import { inParallel, until } from '../load.ts'
import { appName, makeReleases, nodeLabels } from './releases.ts'
import { ServerProcess } from './server-process.ts'

export interface SimulatedClusterOptions {
  readonly nodes: number
  readonly apps: number
  readonly replicas: number
  /** Lines of YAML, added to the placement of each app's one entrypoint. */
  readonly more?: string
  /** TLS handshakes under way at a time. */
  readonly handshakes?: number
}

/** A real server in its own process, and simulated nodes in this one. */
export class SimulatedCluster implements AsyncDisposable {
  server: ServerProcess
  readonly fleet: SimulatedFleet
  readonly #options: SimulatedClusterOptions
  readonly #directory: string

  private constructor(
    options: SimulatedClusterOptions,
    directory: string,
    server: ServerProcess,
    fleet: SimulatedFleet,
  ) {
    this.#options = options
    this.#directory = directory
    this.server = server
    this.fleet = fleet
  }

  static async start(options: SimulatedClusterOptions): Promise<SimulatedCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'berth-simulated-'))
    const server = await ServerProcess.start({ directory })
    const { nodes: count, handshakes } = options
    const labels = (index: number) => labelsOf(index)
    const { nodes } = await enrolNodes(server.client, { count, prefix: 'sim-', labels })
    const fleet = startFleet(server, nodes, handshakes)
    const cluster = new SimulatedCluster(options, directory, server, fleet)
    await fleet.start()
    await cluster.untilOnline(count)
    return cluster
  }

  get client(): ServerProcess['client'] {
    return this.server.client
  }

  async deploy(): Promise<void> {
    const { apps, replicas, more } = this.#options
    const { signal } = new AbortController()
    const given = more === undefined ? {} : { more }
    await makeReleases(this.client, {
      ...{ apps, replicas, signal, ...given },
      directory: join(this.#directory, 'repositories'),
    })
    const names = Array.from({ length: apps }, (_, index) => appName(index))
    await inParallel(names, 8, async (app) => {
      await this.client.call('deploy', { params: { app }, body: { release: 'v1', pool: 'production' } })
    })
  }

  async untilOnline(count: number, timeoutMs = 240_000): Promise<void> {
    const online = async () => {
      const { items } = await this.client.list('listNodes', {})
      return items.filter((node) => node.online).length === count
    }
    await until(`${count} nodes online`, online, timeoutMs)
  }

  /** As the API counts them. */
  async ready(): Promise<number> {
    const { items } = await this.client.list('listApps', {})
    return items
      .flatMap((app) => app.pools.flatMap((pool) => pool.entrypoints))
      .reduce((sum, entrypoint) => sum + entrypoint.ready, 0)
  }

  async untilReady(count: number, timeoutMs = 400_000): Promise<void> {
    await until(`${count} instances ready`, async () => (await this.ready()) === count, timeoutMs)
  }

  /** All instances that the server knows. */
  async instances(): Promise<readonly InstanceView[]> {
    const { apps } = this.#options
    const names = Array.from({ length: apps }, (_, index) => appName(index))
    const lists = await Promise.all(
      names.map((app) => this.client.list('listInstances', { query: { app, all: 'true' } })),
    )
    return lists.flatMap(({ items }) => items)
  }

  /** What containers there are on the nodes, dead ones too, by the instance's name: on which nodes. */
  running(): Map<string, string[]> {
    const found = new Map<string, string[]>()
    for (const node of this.fleet.nodes)
      for (const { id, phase } of node.instances.values())
        if (phase === 'ready' || phase === 'running') found.set(id, [...(found.get(id) ?? []), node.name])
    return found
  }

  /** The server ends without a word, and starts again. */
  async restartServer(): Promise<void> {
    const { agentPort } = this.server
    await this.server.kill()
    this.server = await ServerProcess.start({ directory: this.#directory, agentPort })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet[Symbol.asyncDispose]()
    await this.server[Symbol.asyncDispose]()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

const startFleet = (server: ServerProcess, nodes: readonly NodeCredentials[], handshakes: number | undefined) =>
  new SimulatedFleet({
    servers: [{ host: '127.0.0.1', port: server.agentPort }],
    nodes,
    ...(handshakes === undefined ? {} : { handshakes }),
  })

function labelsOf(index: number): Record<string, string> {
  const entries = nodeLabels.map((text) => {
    const [name = '', choices = ''] = text.split('=')
    const all = choices.split('/')
    return [name, all[index % all.length] ?? '']
  })
  return Object.fromEntries(entries)
}
