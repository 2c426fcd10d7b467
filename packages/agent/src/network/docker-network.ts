import { BerthError, formatBlock, type NetworkDriver } from '@berth/core'
import type { Logger } from 'pino'
import { DockerNetworkCalls, type NetworkInspectInfo, nameOfContainer } from './docker-network-calls.ts'
import { bridgeName, type NetworkPlan } from './network-plan.ts'

/** Marks the network as made by us: only then may it be made anew, and only while no container is in it. */
const ownLabel = 'berth.network'

type Signal = AbortSignal | undefined

/** What Docker calls our drivers; netd serves the one of routed mode, for networks and for addresses. */
const dockerDrivers: Readonly<Record<NetworkDriver, string>> = { bridge: 'bridge', routed: 'berth' }

const bridgeOption = (name: string): string => `com.docker.network.bridge.${name}`

/** Since 28 Docker keeps other machines from ports that are not published, partly before any rule of DOCKER-USER. This is how to say no. */
const directAccessEngine = 28
const gatewayModeOption = bridgeOption('gateway_mode_ipv4')
const gatewayMode6Option = bridgeOption('gateway_mode_ipv6')
const directAccessMode = 'nat-unprotected'

/** The error for a network that cannot be used as it is, waiting for what to do about it. */
type Fault = (remedy: string) => BerthError

/** The Docker network of a node, on its engine. */
export class DockerNetwork {
  readonly #calls: DockerNetworkCalls
  readonly #name: string

  constructor(socketPath: string, name: string, log: Logger) {
    this.#calls = new DockerNetworkCalls(socketPath, name, log)
    this.#name = name
  }

  /**
   * Which driver is to be in force: the wanted one, unless a network of ours has the other and containers are bound to it. Throws
   * `network.engine-unreachable`, `network.engine-refused`.
   */
  async settle(wanted: NetworkDriver, signal: Signal): Promise<{ driver: NetworkDriver; bound: number }> {
    const found = await this.#calls.inspect(signal)
    const other = wanted === 'bridge' ? 'routed' : 'bridge'
    if (found?.Driver !== dockerDrivers[other] || found.Labels?.[ownLabel] === undefined)
      return { driver: wanted, bound: 0 }
    const bound = (await this.#containers(signal)).length
    return { driver: bound > 0 ? other : wanted, bound }
  }

  /**
   * Makes the network, or finds it as wanted. `bridgeExists` false: the network is no good without its bridge. A network of ours that
   * is not as wanted is made anew while no container is bound to it. Throws `network.subnet-differs`, `network.bridge-missing`,
   * `network.engine-upgraded`, `network.engine-unreachable`, `network.engine-refused`.
   */
  async ensure(plan: NetworkPlan, mtuOf: () => Promise<number>, bridgeExists: boolean, signal: Signal): Promise<void> {
    const engineMajor = await this.#majorVersion(signal)
    const faultOf = (found: NetworkInspectInfo) => this.#findFault(found, plan, engineMajor, bridgeExists)
    await this.#ensure(faultOf, async () => createOptions(this.#name, plan, await mtuOf(), engineMajor), signal)
  }

  /**
   * The same in routed mode, where the network is the endpoints that netd makes, and no bridge. `tellNetd` is called once it is sure that
   * the network is the plan's or becomes it, before Docker asks netd for it. Answers of which addresses Docker lets its containers have: those
   * of the pool, or, of a network that a version before has made and that is in use, of the node's block.
   */
  async ensureRouted(plan: NetworkPlan, tellNetd: () => Promise<void>, signal: Signal): Promise<string> {
    const faultOf = (found: NetworkInspectInfo) => this.#findDifference(found, plan, describeRoutedDifference)
    const optionsOf = async () => {
      await tellNetd()
      return routedOptions(this.#name, plan)
    }
    const isNarrow = (found: NetworkInspectInfo) =>
      found.Driver === dockerDrivers.routed && subnetOf(found) === formatBlock(plan.block)
    const kept = await this.#ensure(faultOf, optionsOf, signal, isNarrow)
    if (kept !== undefined) await tellNetd()
    return (kept === undefined ? undefined : subnetOf(kept)) ?? formatBlock(plan.range)
  }

  /** Answers with the network that was there and stays; undefined: it was made. `isBearable`: as long as containers are bound to it. */
  async #ensure(
    faultOf: (found: NetworkInspectInfo) => Fault | undefined,
    optionsOf: () => Promise<object>,
    signal: Signal,
    isBearable: (found: NetworkInspectInfo) => boolean = () => false,
  ): Promise<NetworkInspectInfo | undefined> {
    const found = await this.#calls.inspect(signal)
    if (found !== undefined) {
      const fault = faultOf(found)
      if (fault === undefined) return found
      const containers = await this.#containers(signal)
      if (containers.length > 0 && isBearable(found)) return found
      if (containers.length > 0 || found.Labels?.[ownLabel] === undefined) throw fault(this.#remedy(containers))
      await this.#calls.call('remove', { method: 'DELETE', path: `/networks/${found.Id}`, signal })
    }
    await this.#calls.call('create', { method: 'POST', path: '/networks/create', body: await optionsOf(), signal })
    return undefined
  }

  /** Removes the network; does nothing when there is none. Throws `network.in-use` while containers are bound to it. */
  async remove(signal: Signal): Promise<void> {
    const found = await this.#calls.inspect(signal)
    if (found === undefined) return
    const containers = await this.#containers(signal)
    if (containers.length > 0) {
      throw new BerthError(
        'network.in-use',
        `remove the Docker network ${this.#name}: it is in use; first remove ${describeContainers(containers)}`,
      )
    }
    await this.#calls.call('remove', { method: 'DELETE', path: `/networks/${found.Id}`, signal })
  }

  /** Undefined when it can be used as it is. */
  #findFault(
    found: NetworkInspectInfo,
    plan: NetworkPlan,
    engineMajor: number,
    bridgeExists: boolean,
  ): Fault | undefined {
    const network = `Docker network ${this.#name}`
    const different = this.#findDifference(found, plan, describeDifference)
    if (different !== undefined) return different
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

  #findDifference(
    found: NetworkInspectInfo,
    plan: NetworkPlan,
    describe: typeof describeDifference,
  ): Fault | undefined {
    const difference = describe(found, plan)
    if (difference === undefined) return undefined
    const wanted = formatBlock(plan.block)
    const text = `this node's block is ${wanted}, but its Docker network ${this.#name} ${difference}`
    return (remedy) => new BerthError('network.subnet-differs', `${text}; ${remedy}`, { details: { wanted } })
  }

  #remedy(containers: readonly string[]): string {
    const remove = `run "docker network rm ${this.#name}"`
    return containers.length === 0 ? remove : `remove ${describeContainers(containers)} and ${remove}`
  }

  async #containers(signal: Signal): Promise<string[]> {
    return (await this.#calls.containers(signal)).map(nameOfContainer)
  }

  async #majorVersion(signal: Signal): Promise<number> {
    const call = { method: 'GET', path: '/version', signal } as const
    const { Version } = await this.#calls.call<{ Version: string }>('ask for the version before', call)
    return Number.parseInt(Version, 10)
  }
}

const describeContainers = (names: readonly string[]): string =>
  names.length === 1 ? `the container ${names[0]} in it` : `the ${names.length} containers in it (${names[0]}, …)`

/** What is wrong with a network of our name, as the end of a sentence; undefined when nothing is. */
function describeDifference(found: NetworkInspectInfo, plan: NetworkPlan): string | undefined {
  if (found.Driver !== dockerDrivers.bridge) return `has the driver ${found.Driver}`
  const subnets = describeSubnets(found, plan)
  if (subnets !== undefined) return subnets
  const bridge = found.Options?.[bridgeOption('name')]
  if (bridge !== bridgeName) return `is on the bridge ${bridge ?? 'of another name'}`
  if (found.Options?.[bridgeOption('enable_ip_masquerade')] !== 'false') return 'hides the addresses of its containers'
  return undefined
}

/** What is wrong with it in routed mode. */
function describeRoutedDifference(found: NetworkInspectInfo, plan: NetworkPlan): string | undefined {
  if (found.Driver !== dockerDrivers.routed) return `has the driver ${found.Driver}`
  // netd gives a container its address of IPv6, and Docker's network has no subnet of it.
  const { ipv6: _, ...plan4 } = plan
  return describeSubnets(found, plan4, plan.range)
}

/** A network keeps IPv6 that its pool has no prefix for any more: nobody gets an address of it. */
function describeSubnets(found: NetworkInspectInfo, { block, ipv6 }: NetworkPlan, wanted = block): string | undefined {
  const subnet = subnetOf(found)
  if (subnet !== formatBlock(wanted)) return `holds ${subnet ?? 'no subnet'}`
  if (ipv6 === undefined || allSubnetsOf(found).includes(ipv6.block)) return undefined
  return `has no IPv6 addresses of ${ipv6.block}`
}

const allSubnetsOf = ({ IPAM }: NetworkInspectInfo): string[] =>
  (IPAM?.Config ?? []).flatMap(({ Subnet }) => Subnet ?? [])

/** Of IPv4. */
const subnetOf = (found: NetworkInspectInfo): string | undefined =>
  allSubnetsOf(found).find((each) => !each.includes(':'))

/** Docker's words for the subnets of a network. */
const subnetsOf = ({ block, range, gateway, ipv6 }: NetworkPlan, driver: NetworkDriver): object[] =>
  driver === 'routed'
    ? [{ Subnet: formatBlock(range) }]
    : [
        { Subnet: formatBlock(block), Gateway: gateway },
        ...(ipv6 === undefined ? [] : [{ Subnet: ipv6.block, Gateway: ipv6.gateway }]),
      ]

function routedOptions(name: string, plan: NetworkPlan): object {
  return {
    Name: name,
    Driver: dockerDrivers.routed,
    // The gateway is the plugin's to say. --ip needs the subnet to be written here; instances may have addresses of other nodes' blocks.
    IPAM: { Driver: dockerDrivers.routed, Config: subnetsOf(plan, 'routed') },
    Labels: { [ownLabel]: 'node' },
  }
}

function createOptions(name: string, plan: NetworkPlan, mtu: number, engineMajor: number): object {
  return {
    Name: name,
    Driver: dockerDrivers.bridge,
    IPAM: { Driver: 'default', Config: subnetsOf(plan, 'bridge') },
    ...(plan.ipv6 === undefined ? {} : { EnableIPv6: true }),
    Options: {
      [bridgeOption('name')]: bridgeName,
      // Our own rule does it, only for what leaves the pool.
      [bridgeOption('enable_ip_masquerade')]: 'false',
      'com.docker.network.driver.mtu': String(mtu),
      ...(engineMajor >= directAccessEngine ? { [gatewayModeOption]: directAccessMode } : {}),
      ...(engineMajor >= directAccessEngine && plan.ipv6 !== undefined
        ? { [gatewayMode6Option]: directAccessMode }
        : {}),
    },
    Labels: { [ownLabel]: 'node' },
  }
}
