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
}

const bridgeOption = (name: string): string => `com.docker.network.bridge.${name}`

/** Since 28 Docker keeps other machines from ports that are not published, partly before any rule of DOCKER-USER. This is how to say no. */
const directAccessEngine = 28
const gatewayModeOption = bridgeOption('gateway_mode_ipv4')
const directAccessMode = 'nat-unprotected'

/** The Docker network of a node, on its engine. */
export class DockerNetwork {
  readonly #client: DockerClient
  readonly #name: string

  constructor(socketPath: string, name: string, log: Logger) {
    this.#client = new DockerClient(socketPath, log)
    this.#name = name
  }

  /**
   * Makes the network, or finds it as wanted. `bridgeExists` false: the network is no good without its bridge. A network of ours that
   * is not as wanted is made anew while no container is bound to it. Throws `network.subnet-differs`, `network.bridge-missing`,
   * `network.engine-upgraded`, `network.engine-unreachable`, `network.engine-refused`.
   */
  async ensure(plan: NetworkPlan, mtuOf: () => Promise<number>, bridgeExists: boolean, signal: Signal): Promise<void> {
    const found = await this.#inspect(signal)
    const engineMajor = await this.#majorVersion(signal)
    if (found !== undefined) {
      const fault = this.#findFault(found, plan, engineMajor, bridgeExists)
      if (fault === undefined) return
      const containers = await this.#containers(signal)
      if (containers.length > 0 || found.Labels?.[ownLabel] === undefined) throw fault(this.#remedy(containers))
      await this.#call('remove', { method: 'DELETE', path: `/networks/${found.Id}`, signal })
    }
    const body = createOptions(this.#name, plan, await mtuOf(), engineMajor)
    await this.#call('create', { method: 'POST', path: '/networks/create', body, signal })
  }

  /** Removes the network; does nothing when there is none. Throws `network.in-use` while containers are bound to it. */
  async remove(signal: Signal): Promise<void> {
    const found = await this.#inspect(signal)
    if (found === undefined) return
    const containers = await this.#containers(signal)
    if (containers.length > 0) {
      throw new BerthError(
        'network.in-use',
        `remove the Docker network ${this.#name}: it is in use; first remove ${describeContainers(containers)}`,
      )
    }
    await this.#call('remove', { method: 'DELETE', path: `/networks/${found.Id}`, signal })
  }

  /** The error for a network that cannot be used as it is, waiting for what to do about it; undefined when it can. */
  #findFault(
    found: NetworkInspectInfo,
    plan: NetworkPlan,
    engineMajor: number,
    bridgeExists: boolean,
  ): ((remedy: string) => BerthError) | undefined {
    const network = `Docker network ${this.#name}`
    const difference = describeDifference(found, plan)
    if (difference !== undefined) {
      const wanted = formatBlock(plan.block)
      const text = `this node's block is ${wanted}, but its ${network} ${difference}`
      return (remedy) => new BerthError('network.subnet-differs', `${text}; ${remedy}`, { details: { wanted } })
    }
    if (!bridgeExists) {
      const text = `the bridge ${bridgeName} of the ${network} is gone`
      return (remedy) => new BerthError('network.bridge-missing', `${text}; restart dockerd, or ${remedy}`)
    }
    if (engineMajor >= directAccessEngine && found.Options?.[gatewayModeOption] !== directAccessMode) {
      const text = `the ${network} was made by an engine before ${directAccessEngine} and may not be reached from other nodes`
      return (remedy) => new BerthError('network.engine-upgraded', `${text}; it is made anew after you ${remedy}`)
    }
    return undefined
  }

  #remedy(containers: readonly string[]): string {
    const remove = `run "docker network rm ${this.#name}"`
    return containers.length === 0 ? remove : `remove ${describeContainers(containers)} and ${remove}`
  }

  /** Stopped ones too: they would not start again in another network of the same name. */
  async #containers(signal: Signal): Promise<string[]> {
    const query = { all: 'true', filters: JSON.stringify({ network: [this.#name] }) }
    const call = { method: 'GET', path: '/containers/json', query, signal } as const
    const list = await this.#call<{ Names: readonly string[] }[]>('list the containers in', call)
    return list.map((container) => (container.Names[0] ?? '').replace(/^\//, ''))
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

const describeContainers = (names: readonly string[]): string =>
  names.length === 1 ? `the container ${names[0]} in it` : `the ${names.length} containers in it (${names[0]}, …)`

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
      ...(engineMajor >= directAccessEngine ? { [gatewayModeOption]: directAccessMode } : {}),
    },
    Labels: { [ownLabel]: 'node' },
  }
}
