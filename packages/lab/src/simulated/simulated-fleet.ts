import type { NodeStatus } from '@berth/core'
import { AgentDialer, type AgentPortAddress, type NodeCredentials } from './agent-dialer.ts'
import { DueQueue } from './due-queue.ts'
import { defaultPace, type Pace, type SimulatedInstance, type SimulatedPhase } from './simulated-instances.ts'
import { SimulatedNode } from './simulated-node.ts'

const stepMs = 10
const defaultHandshakes = 32

export interface FleetOptions {
  /** Each node keeps a link to every one of them. */
  readonly servers: readonly AgentPortAddress[]
  readonly nodes: readonly NodeCredentials[]
  readonly pace?: Partial<Pace>
  /** TLS handshakes under way at a time, over all nodes, to each server. */
  readonly handshakes?: number
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  /** What nodes had of their peers when they were last up, by name. */
  readonly peers?: Readonly<Record<string, string>>
}

interface Due {
  readonly node: SimulatedNode
  readonly instance: SimulatedInstance
}

/** Many nodes in one process: one timer for all their containers, and reports that are gathered for some milliseconds. */
export class SimulatedFleet implements AsyncDisposable {
  readonly #nodes: SimulatedNode[]
  readonly #newNode: (credentials: NodeCredentials) => SimulatedNode
  readonly #queue: DueQueue<Due>
  #news = new Set<SimulatedNode>()

  constructor(options: FleetOptions) {
    this.#queue = new DueQueue<Due>(
      stepMs,
      ({ node, instance }) => node.instances.advance(instance),
      () => this.#flush(),
    )
    const dialers = options.servers.map((server) => new AgentDialer(server, options.handshakes ?? defaultHandshakes))
    const status = nodeStatus(options)
    this.#newNode = (credentials) =>
      new SimulatedNode({
        ...{ credentials, dialers, status, pace: { ...defaultPace, ...options.pace } },
        later: (node, instance, delayMs) => this.#queue.add({ node, instance }, delayMs),
        hasNews: (node) => this.#news.add(node),
        peers: options.peers?.[credentials.name],
      })
    this.#nodes = options.nodes.map(this.#newNode)
  }

  get nodes(): readonly SimulatedNode[] {
    return this.#nodes
  }

  /** One more, which is started by itself. */
  add(credentials: NodeCredentials): SimulatedNode {
    const node = this.#newNode(credentials)
    this.#nodes.push(node)
    return node
  }

  /** Resolves when every one of them has been linked once. */
  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()))
  }

  node(name: string): SimulatedNode {
    const found = this.nodes.find((each) => each.name === name)
    if (found === undefined) throw new Error(`no simulated node ${name}`)
    return found
  }

  get linked(): number {
    return this.nodes.filter((node) => node.isLinked).length
  }

  /** Instances by what they are at. */
  counts(): Record<SimulatedPhase, number> {
    const counts = { assigned: 0, running: 0, ready: 0, stopping: 0, ended: 0 }
    for (const node of this.nodes) for (const { phase } of node.instances.values()) counts[phase] += 1
    return counts
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue[Symbol.dispose]()
    for (const node of this.nodes) node.die()
  }

  #flush(): void {
    const nodes = this.#news
    this.#news = new Set()
    for (const node of nodes) node.flush()
  }
}

const nodeStatus = ({
  cpuMilli = 32_000,
  memoryBytes = 128 * 1024 ** 3,
}: FleetOptions): Omit<NodeStatus, 'name' | 'online'> => ({
  ...{ cpuMilli, memoryBytes, diskBytes: 1e12, diskFreeBytes: 9e11 },
  cores: { count: cpuMilli / 1000, numa: [Array.from({ length: cpuMilli / 1000 }, (_, core) => core)] },
  ...{ agentVersion: '0.1.0', engineVersion: '29.0.0', engineApi: '1.50', kernel: '6.18.0', os: 'simulated' },
  ...{ cgroup: 'v2' as const, gateway: false, problems: [] },
})
