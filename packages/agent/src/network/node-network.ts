import { setTimeout as delay } from 'node:timers/promises'
import { messageOf, type NetworkConfig, type NetworkDriver, type NodeStatus } from '@berth/core'
import type { Logger } from 'pino'
import type { NetdFiles } from '../dns/netd-files.ts'
import { DockerNetwork } from './docker-network.ts'
import { bearable, HostNetwork, type LearnedRoutes } from './host-network.ts'
import { type NetworkPlan, planNetwork } from './network-plan.ts'
import { type Exec, runCommand } from './run-command.ts'

export const networkName = 'berth'

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface EnsureOptions extends CallOptions {
  /**
   * Removes our routes to blocks that the configuration does not name. To be set only when the server is known to speak of the whole
   * cluster (same epoch, no older revision): by default a route stays, since absence never kills.
   */
  readonly removeAbsentPeers?: boolean
}

/**
 * The node's part of the cluster's network: the Docker network whose bridge holds the node's block, forwarding, rules, routes to the
 * peers' blocks and the address that DNS is served at. Closing it ends the periodic check and leaves the network as it is: containers
 * need it while the agent is away.
 */
export interface NodeNetwork extends AsyncDisposable {
  /** To be given to Docker as the container's network. */
  readonly networkName: typeof networkName
  /** In force, as far as is known; `wanted` where it is another, and containers keep the node from changing to it. */
  readonly drivers: NonNullable<NodeStatus['network']>
  /**
   * Makes the node match `config` and keeps it so: from then on it is checked and repaired periodically. Throws
   * `network.invalid-block`, `network.block-overlap`, `network.pool-collides` (nothing has changed, the former configuration stays in
   * charge) and what a step could not do: `network.engine-unreachable` (retryable), `network.subnet-differs`,
   * `network.command-failed`; the other steps are done then, and the periodic check goes on trying. What leaves the node's own
   * instances a network (a peer that cannot be routed) is a problem, no error.
   */
  ensure(config: NetworkConfig, options?: EnsureOptions): Promise<void>
  /** Compares the node with the last configuration, repairs what differs, and tells in a sentence each what it could not repair. */
  check(options?: CallOptions): Promise<readonly string[]>
  /** Takes everything away again. Throws `network.in-use` while containers are in the network. */
  remove(options?: CallOptions): Promise<void>
}

export interface NodeNetworkOptions {
  readonly socketPath: string
  readonly log: Logger
  /** Default: `bridge`. Taken once no container is bound to the Docker network. */
  readonly driver?: NetworkDriver
  /** Who serves Docker in routed mode; absent only where nothing is made any more. */
  readonly netd?: Pick<NetdFiles, 'writeRouted'>
  readonly exec?: Exec
  readonly checkIntervalMs?: number
  readonly learned?: LearnedRoutes
  /** Links of Docker's other bridges that instances are in. */
  readonly bridges?: () => readonly string[]
}

export function createNodeNetwork({
  socketPath,
  log,
  exec = runCommand,
  checkIntervalMs = 10_000,
  driver: wanted = 'bridge',
  netd,
  learned = async () => undefined,
  bridges = () => [],
}: NodeNetworkOptions): NodeNetwork {
  const tellNetd = async (...told: Parameters<NetdFiles['writeRouted']>) => await netd?.writeRouted(...told)
  const dockerNetwork = new DockerNetwork(socketPath, networkName, log)
  const host = new HostNetwork(dockerNetwork, exec, log, { learned, bridges, choice: { wanted, tellNetd } })
  return new CheckedNodeNetwork(host, log, checkIntervalMs)
}

interface Wanted {
  readonly plan: NetworkPlan
  readonly removeAbsentPeers: boolean
}

class CheckedNodeNetwork implements NodeNetwork {
  readonly networkName = networkName
  readonly #host: HostNetwork
  readonly #log: Logger
  readonly #checkIntervalMs: number
  readonly #closing = new AbortController()
  #wanted: Wanted | undefined
  /** Calls run one after another: each reads the host, then changes it. */
  #tail: Promise<unknown> = Promise.resolve()
  #loop: Promise<void> | undefined

  constructor(host: HostNetwork, log: Logger, checkIntervalMs: number) {
    this.#host = host
    this.#log = log
    this.#checkIntervalMs = checkIntervalMs
  }

  get drivers(): NodeNetwork['drivers'] {
    const { driver, wantedDriver: wanted, range, blocks } = this.#host
    return { driver, ...(driver === wanted ? {} : { wanted }), ...(range === undefined ? {} : { range }), blocks }
  }

  ensure(config: NetworkConfig, { signal, removeAbsentPeers = false }: EnsureOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      const plan = planNetwork(config)
      await this.#host.requireRoomFor(plan, signal)
      this.#wanted = { plan, removeAbsentPeers }
      this.#loop ??= this.#checkPeriodically()
      const failures = await this.#host.repair(plan, removeAbsentPeers, signal)
      const failure = failures.find((each) => !bearable.has(each.code))
      if (failure !== undefined) throw failure
    })
  }

  check({ signal }: CallOptions = {}): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      if (this.#wanted === undefined) return []
      const failures = await this.#host.repair(this.#wanted.plan, this.#wanted.removeAbsentPeers, signal)
      // That dockerd is down is the engine's problem to report; the network goes on without it.
      return failures.filter((each) => each.code !== 'network.engine-unreachable').map(messageOf)
    })
  }

  remove({ signal }: CallOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      this.#wanted = undefined
      await this.#host.remove(signal)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#loop
    await this.#tail
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => {})
    return turn
  }

  async #checkPeriodically(): Promise<void> {
    const { signal } = this.#closing
    let reported = ''
    while (!signal.aborted) {
      await delay(this.#checkIntervalMs, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted) return
      const problems = await this.check({ signal }).catch((error: unknown) => [messageOf(error)])
      const text = problems.join('; ')
      if (text === reported || this.#closing.signal.aborted) continue
      reported = text
      if (problems.length > 0) this.#log.warn({ problems }, 'the network of this node has problems')
      else this.#log.info('the network of this node is whole again')
    }
  }
}
