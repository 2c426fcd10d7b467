import { BerthError, formatBlock, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { type DockerCall, DockerClient } from '../engine/docker-client.ts'
import { isEngineDown } from '../engine/engine-error.ts'
import { bridgeName, type NetworkPlan } from './network-plan.ts'

/** Marks the network as made by us: only then may it be made anew, and only while no container is in it. */
const ownLabel = 'berth.network'

type Signal = AbortSignal | undefined

const timeoutMs = 15_000

/** What is read of Docker's answer. */
interface NetworkInspectInfo {
  readonly Id: string
  readonly Name: string
  readonly Driver: string
  readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string }[] | null }
  readonly Options?: Readonly<Record<string, string>> | null
  readonly Labels?: Readonly<Record<string, string>> | null
  readonly Containers?: Readonly<Record<string, { readonly Name: string }>> | null
}

const bridgeOption = (name: string): string => `com.docker.network.bridge.${name}`

/** The Docker network of a node, on its engine. */
export class DockerNetwork {
  readonly #client: DockerClient
  readonly #name: string

  constructor(socketPath: string, name: string, log: Logger) {
    this.#client = new DockerClient(socketPath, log)
    this.#name = name
  }

  /**
   * Makes the network, or finds it as wanted. `bridgeExists` false: the network is no good without its bridge and is made anew. Throws `network.subnet-differs` for a network of this name
   * that holds other addresses and cannot be replaced, `network.bridge-missing`, `network.engine-unreachable`.
   */
  async ensure(plan: NetworkPlan, mtuOf: () => Promise<number>, bridgeExists: boolean, signal: Signal): Promise<void> {
    const found = await this.#inspect(signal)
    if (found !== undefined) {
      const difference = describeDifference(found, plan)
      if (difference === undefined && bridgeExists) return
      this.#requireReplaceable(found, plan, difference)
      await this.#call('remove', { method: 'DELETE', path: `/networks/${found.Id}`, signal })
    }
    const body = createOptions(this.#name, plan, await mtuOf(), await this.#majorVersion(signal))
    await this.#call('create', { method: 'POST', path: '/networks/create', body, signal })
  }

  /** Removes the network; does nothing when there is none. Throws `network.in-use` while containers are in it. */
  async remove(signal: Signal): Promise<void> {
    const found = await this.#inspect(signal)
    if (found === undefined) return
    const containers = containersOf(found)
    if (containers.length > 0) {
      throw new BerthError(
        'network.in-use',
        `remove the Docker network ${this.#name}: ${containers.length} containers are in it (${containers[0]}, …); remove them first`,
      )
    }
    await this.#call('remove', { method: 'DELETE', path: `/networks/${found.Id}`, signal })
  }

  #requireReplaceable(found: NetworkInspectInfo, plan: NetworkPlan, difference: string | undefined): void {
    const containers = containersOf(found)
    const isOwn = found.Labels?.[ownLabel] !== undefined
    if (isOwn && containers.length === 0) return
    if (difference === undefined) {
      throw new BerthError(
        'network.bridge-missing',
        `the bridge ${bridgeName} of the Docker network ${this.#name} is gone while ${containers.length} containers need it; restart dockerd, then their instances`,
      )
    }
    const remedy =
      containers.length > 0
        ? `stop the ${containers.length} containers in it (${containers[0]}, …) and run "docker network rm ${this.#name}"`
        : `run "docker network rm ${this.#name}"`
    throw new BerthError(
      'network.subnet-differs',
      `this node's block is ${formatBlock(plan.block)}, but its Docker network ${this.#name} ${difference}; ${remedy}`,
      { details: { network: this.#name, wanted: formatBlock(plan.block) } },
    )
  }

  async #inspect(signal: Signal): Promise<NetworkInspectInfo | undefined> {
    // By list, not by name: a name that is a prefix of some network's id would find that one.
    const query = { filters: JSON.stringify({ name: [this.#name] }) }
    const list = await this.#call<NetworkInspectInfo[]>('list', { method: 'GET', path: '/networks', query, signal })
    const found = list.find((each) => each.Name === this.#name)
    if (found === undefined) return undefined
    return await this.#call('inspect', { method: 'GET', path: `/networks/${found.Id}`, signal })
  }

  async #majorVersion(signal: Signal): Promise<number> {
    const call = { method: 'GET', path: '/version', signal } as const
    const { Version } = await this.#call<{ Version: string }>('ask for the version before', call)
    return Number.parseInt(Version, 10)
  }

  async #call<Result = void>(verb: string, call: Omit<DockerCall, 'action'>): Promise<Result> {
    const action = `${verb} the Docker network ${this.#name}`
    try {
      return await this.#client.json<Result>({ action, timeoutMs, ...call })
    } catch (cause) {
      if (!(cause instanceof BerthError)) throw cause
      const code = isEngineDown(cause) ? 'network.engine-unreachable' : 'network.engine-refused'
      throw new BerthError(code, messageOf(cause), { cause, retryable: isEngineDown(cause) })
    }
  }
}

const containersOf = (network: NetworkInspectInfo): string[] =>
  Object.values(network.Containers ?? {}).map((container) => container.Name)

/** What is wrong with a network of our name, as the end of a sentence; undefined when nothing is. */
function describeDifference(found: NetworkInspectInfo, plan: NetworkPlan): string | undefined {
  const subnet = found.IPAM?.Config?.[0]?.Subnet
  if (found.Driver !== 'bridge') return `has the driver ${found.Driver}`
  if (subnet !== formatBlock(plan.block)) return `holds ${subnet ?? 'no subnet'}`
  const bridge = found.Options?.[bridgeOption('name')]
  if (bridge !== bridgeName) return `is on the bridge ${bridge ?? 'of another name'}`
  if (found.Options?.[bridgeOption('enable_ip_masquerade')] !== 'false') return 'hides the addresses of its containers'
  return undefined
}

function createOptions(name: string, plan: NetworkPlan, mtu: number, engineMajor: number): object {
  return {
    Name: name,
    Driver: 'bridge',
    IPAM: { Driver: 'default', Config: [{ Subnet: formatBlock(plan.block), Gateway: plan.gateway }] },
    Options: {
      [bridgeOption('name')]: bridgeName,
      // Our own rule does it, only for what leaves the pool.
      [bridgeOption('enable_ip_masquerade')]: 'false',
      'com.docker.network.driver.mtu': String(mtu),
      // Since 28 Docker drops packets from other machines to ports that are not published, before any rule of DOCKER-USER.
      ...(engineMajor >= 28 ? { [bridgeOption('gateway_mode_ipv4')]: 'nat-unprotected' } : {}),
    },
    Labels: { [ownLabel]: 'node' },
  }
}
