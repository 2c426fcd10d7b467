import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { enrolNodes, SimulatedFleet } from '../../../packages/lab/src/simulated/index.ts'
import { EtcdCluster } from '../../../packages/server/src/store/etcd/etcd-cluster.testing.ts'
import { until } from '../load.ts'
import { appName, makeReleases } from '../simulated/releases.ts'
import type { Fault } from './fault-plan.ts'
import { FaultServer } from './fault-server.ts'

export interface FaultClusterOptions {
  readonly servers: number
  readonly nodes: number
  readonly replicas: number
}

const members = 3
const wrongByMs = 5 * 3_600_000
const group = 'owned'
const app = appName(0)
/** Of a bound group, so that cores are owned; one of them with a port of the node's, which only one instance of a node may have. */
const placement = `group: ${group}, reschedule: {after: 3s}`
const more = `      group: ${group}
      reschedule: {after: 3s}
  edge:
    command: [work]
    cpu: 1.3
    memory: 64Mi
    replicas: 0
    ports:
      http: {port: 8080, hostPort: 18080}
    placement: {${placement}}
  heavy:
    command: [work]
    cpu: 2.5
    memory: 64Mi
    replicas: 0
    placement: {${placement}}
`

/** Several real servers on a real etcd of three members, simulated nodes, and everything between them open to faults. */
export class FaultCluster implements AsyncDisposable {
  readonly directory: string
  readonly etcd: EtcdCluster
  readonly servers: readonly FaultServer[]
  readonly fleet: SimulatedFleet
  readonly nodes: readonly string[]
  /** Servers that ended although nobody had killed them. */
  readonly ended: string[] = []

  private constructor(directory: string, etcd: EtcdCluster, servers: readonly FaultServer[], fleet: SimulatedFleet) {
    this.directory = directory
    this.etcd = etcd
    this.servers = servers
    this.fleet = fleet
    this.nodes = fleet.nodes.map(({ name }) => name)
  }

  static async start(options: FaultClusterOptions): Promise<FaultCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'berth-faults-'))
    await using stack = new AsyncDisposableStack()
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    const etcd = stack.use(await EtcdCluster.start({ members }))
    const servers: FaultServer[] = []
    for (let index = 0; index < options.servers; index++)
      servers.push(stack.use(await startServer(directory, etcd, `s${index + 1}`, servers[0])))
    const [first] = servers as [FaultServer]
    await first.client.client.call('createGroup', { body: { name: group, cpu: 'bound', shareBase: 100 } })
    const { nodes } = await enrolNodes(first.client.client, {
      count: options.nodes,
      prefix: 'sim-',
      labels: () => ({ disk: 'ssd' }),
    })
    const ports = servers.map(({ agentLine }) => ({ host: '127.0.0.1', port: agentLine.port }))
    const fleet = stack.use(
      new SimulatedFleet({ servers: ports, nodes, cpuMilli: 14_000, pace: { startMs: 50, readyMs: 20 } }),
    )
    // Wrong clocks decide nothing.
    const [ahead, behind] = fleet.nodes
    if (ahead !== undefined) ahead.skewMs = wrongByMs
    if (behind !== undefined) behind.skewMs = -wrongByMs
    const cluster = new FaultCluster(directory, etcd, servers, fleet)
    await cluster.#deploy(options)
    stack.move()
    return cluster
  }

  /** So many of each entrypoint: no more with a port than there are nodes; one node alone has the cores for all others. */
  #shape(worker: number): { readonly worker: number; readonly edge: number; readonly heavy: number } {
    const count = this.nodes.length
    return { worker, edge: Math.min(worker, count), heavy: Math.min(Math.ceil(worker / 2), count) }
  }

  /** At any server that answers. */
  async scale(replicas: number): Promise<boolean> {
    for (const { client } of this.servers) {
      const input = { params: { app, pool: 'production' }, body: { replicas: this.#shape(replicas) } }
      const options = { signal: AbortSignal.timeout(3_000) }
      const isDone = await client.client.call('scalePool', input, options).then(
        () => true,
        () => false,
      )
      if (isDone) return true
    }
    return false
  }

  /** What happens, and what undoes it when its time is over. */
  async befall({ kind, target, lastsMs }: Fault): Promise<void> {
    const server = this.servers[target] as FaultServer
    const member = this.etcd.members[target] as EtcdCluster['members'][number]
    const during = async (begin: () => unknown, end: () => unknown): Promise<void> => {
      await begin()
      await delay(lastsMs)
      await end()
    }
    const lines = (way: 'both' | 'from' | 'none') => () => {
      for (const line of server.storeLines) line.block(way)
    }
    const acts: Readonly<Record<Fault['kind'], () => Promise<void>>> = {
      'kill-server': () =>
        during(
          () => server.kill(),
          () => server.revive(),
        ),
      'pause-server': () =>
        during(
          () => server.pause(),
          () => server.resume(),
        ),
      'kill-etcd': () =>
        during(
          () => member.kill(),
          () => member.start(),
        ),
      'pause-etcd': () =>
        during(
          () => member.freeze(),
          () => member.thaw(),
        ),
      'cut-store': () => during(lines('both'), lines('none')),
      'lose-answers': () =>
        during(lines('from'), () => {
          for (const line of server.storeLines) line.cutAll()
          lines('none')()
        }),
      'reset-store': async () => {
        for (const line of server.storeLines) line.cutAll()
      },
      'cut-agents': () =>
        during(
          () => server.agentLine.block('both'),
          () => server.agentLine.block('none'),
        ),
      'reset-agents': async () => server.agentLine.cutAll(),
    }
    await acts[kind]()
  }

  /** Everything runs, and everybody knows everybody. */
  async heal(): Promise<void> {
    for (const server of this.servers) {
      if (server.hasEnded) this.ended.push(server.name)
      await server.revive()
    }
    await until(
      'the members of etcd to be well',
      async () => {
        await this.etcd.healthy()
        return true
      },
      60_000,
    )
    for (const { client } of this.servers)
      await until(
        `server ${client.name} to see all servers and nodes`,
        async () => {
          const options = { signal: AbortSignal.timeout(3_000) }
          const { servers = [], nodesOnline } = await client.client.call('getStatus', {}, options)
          return servers.length === this.servers.length && nodesOnline === this.nodes.length
        },
        240_000,
      )
  }

  /** The pool has what was asked for, and each of its instances runs on one node. */
  async untilAtRest(replicas: number): Promise<void> {
    const [{ client }] = this.servers as [FaultServer]
    const wanted = Object.values(this.#shape(replicas)).reduce((sum, count) => sum + count, 0)
    await until(
      `${wanted} instances, each of them once`,
      async () => {
        const { items } = await client.client.list('listInstances', { query: { app } })
        const running = this.fleet.nodes.flatMap(({ instances }) =>
          [...instances.values()].filter(({ phase }) => phase === 'ready').map(({ id }) => id),
        )
        const late = items
          .filter(({ ready }) => !ready)
          .map(({ id, phase, message }) => `${id} is ${phase}: ${message}`)
        if (
          items.length === wanted &&
          late.length === 0 &&
          running.length === wanted &&
          new Set(running).size === wanted
        )
          return true
        throw new Error(`${items.length} instances, ${running.length} run on nodes; ${late.join('; ')}`)
      },
      240_000,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet[Symbol.asyncDispose]()
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()))
    for (const member of this.etcd.members) member.thaw()
    await this.etcd[Symbol.asyncDispose]()
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #deploy({ replicas }: FaultClusterOptions): Promise<void> {
    await this.fleet.start()
    const [{ client }] = this.servers as [FaultServer]
    for (const name of this.nodes) await client.client.call('updateNode', { params: { name }, body: { group } })
    await this.heal()
    const { signal } = new AbortController()
    const repositories = join(this.directory, 'repositories')
    await makeReleases(client.client, { directory: repositories, apps: 1, replicas, more, signal })
    await client.client.call('deploy', { params: { app }, body: { release: 'v1', pool: 'production' } })
    await until('the first scaling', () => this.scale(replicas), 60_000)
    await this.untilAtRest(replicas)
  }
}

async function startServer(directory: string, etcd: EtcdCluster, name: string, first?: FaultServer) {
  const own = join(directory, name)
  mkdirSync(own, { recursive: true })
  const options = { name, directory: own, members: etcd.addresses }
  if (first === undefined) return await FaultServer.start(options)
  const { token } = await first.client.client.call('createServerToken', { body: {} })
  const { secretKey } = await first.client.client.call('joinServer', { body: { token, name } })
  return await FaultServer.start(options, secretKey)
}
