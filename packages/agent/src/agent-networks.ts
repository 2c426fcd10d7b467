import { join } from 'node:path'
import { messageOf, type NodeStatus, ownAddressList, parseBlock } from '@berth/core'
import { BandwidthKeeper } from './bandwidth/bandwidth-keeper.ts'
import { type AgentConfig, defaults } from './config.ts'
import type { Disk } from './disk.ts'
import { createNetdFiles, type NetdFiles } from './dns/netd-files.ts'
import { readNetdProblem } from './dns/netd-problem.ts'
import type { DockerEngine } from './engine/docker-engine.ts'
import { failoverRunDirectory } from './failover/failover-files.ts'
import { FailoverService } from './failover/failover-service.ts'
import type { InstanceKeeper } from './instance/instance-keepers.ts'
import { withOwnAddress } from './instance/own-address.ts'
import { AddressCollector } from './network/address-collector.ts'
import { DockerMembers } from './network/docker-members.ts'
import { DockerNetworkCalls } from './network/docker-network-calls.ts'
import { twinBlocksOf } from './network/ipv6-plan.ts'
import { LanKeeper } from './network/lan/lan-keeper.ts'
import { LanLinks } from './network/lan/lan-links.ts'
import { reachesServer } from './network/lan/reaches-server.ts'
import { createNodeNetwork, type NodeNetwork, networkName } from './network/node-network.ts'
import { OtherNetworks } from './network/other-networks.ts'
import { endpointDirectory } from './network/plugin/container-plugin.ts'
import { createEndpointLinks } from './network/plugin/endpoint-links.ts'
import { EndpointRecords } from './network/plugin/endpoint-records.ts'
import { Endpoints } from './network/plugin/endpoints.ts'
import { runCommand } from './network/run-command.ts'
import type { DisposalStack } from './node/disposal-stack.ts'
import { ByHandWatch } from './policy/by-hand-profiles.ts'
import { PolicyKeeper } from './policy/policy-keeper.ts'
import { PublishKeeper } from './publishing/publish-keeper.ts'
import { birdDirectory } from './routing/bird-files.ts'
import { RoutingService } from './routing/routing-service.ts'
import { ServiceTable } from './socket/service-table.ts'
import { tellServices } from './socket/tell-services.ts'

export interface AgentNetworksOptions {
  readonly config: AgentConfig
  readonly disk: Disk
  readonly engine: DockerEngine
  /** Of the node, by what it concerns; undefined: it is over. */
  readonly setProblem: (subject: string, sentence: string | undefined) => void
  /** What is told of the node may be something else now. */
  readonly onChange: () => void
  /** No server is obeyed: nothing that runs is to lose what it has. */
  readonly isFrozen: () => boolean
}

/** The agent's parts for all that goes over the network, and what they tell each other. Each is made after those that it must outlive. */
export class AgentNetworks {
  readonly #options: AgentNetworksOptions
  readonly node: NodeNetwork
  readonly others: OtherNetworks
  readonly lans: LanKeeper
  readonly #lanLinks: LanLinks
  readonly netd: NetdFiles
  readonly services = new ServiceTable()
  readonly policy: PolicyKeeper
  readonly #byHand: ByHandWatch
  readonly bandwidth: BandwidthKeeper
  readonly routing: RoutingService
  readonly failover: FailoverService
  readonly addresses: AddressCollector
  readonly #publishing: PublishKeeper

  constructor(options: AgentNetworksOptions, stack: DisposalStack) {
    this.#options = options
    this.netd = tellServices(createNetdFiles(options.config.stateDir), this.services)
    this.node = stack.use(this.#makeNodeNetwork())
    this.lans = stack.use(this.#makeLans())
    this.#lanLinks = this.#makeLanLinks()
    this.others = this.#makeOthers()
    this.routing = stack.use(this.#makeRouting())
    this.failover = stack.use(this.#makeFailover())
    this.addresses = this.#makeAddresses()
    this.#byHand = stack.use(this.#makeByHand())
    this.policy = stack.use(this.#makePolicy())
    this.bandwidth = stack.use(this.#makeBandwidth())
    this.#publishing = stack.use(this.#makePublishing())
  }

  /** What was known of rules, and who is to have them besides instances. */
  async load(): Promise<void> {
    await this.policy.load()
    await this.#byHand.start()
  }

  /** Of containers that were started by hand, as the server is told of them. */
  get byHandProfiles(): NonNullable<NodeStatus['byHand']> {
    return this.#byHand.wishes.map((wish) => {
      const closed = this.policy.whyClosed(wish.address, wish.profiles)
      return closed === undefined ? wish : { ...wish, closed }
    })
  }

  /** Once the instances of before are known, so that none is taken for gone. */
  start(): void {
    this.policy.start()
    this.bandwidth.start()
    this.#publishing.start()
  }

  /** Before an instance starts netd knows its name, its rules are in force, and then its limits. */
  makeKeepers(): readonly InstanceKeeper[] {
    const own = [this.#namesKeeper(), this.policy, this.bandwidth, this.#publishing]
    return [this.others, this.#lanLinks, ...own.map(withOwnAddress)]
  }

  wantedChanged(): void {
    this.routing.networkChanged()
    this.lans.wantedChanged()
  }

  /** Of Docker, which is up. What was known of them goes on holding. */
  async look(signal: AbortSignal): Promise<void> {
    try {
      await this.lans.check({ signal })
      await this.others.refresh({ signal })
    } catch (error) {
      if (!signal.aborted) this.#warn(error, 'cannot list the networks of Docker')
    }
  }

  /** Makes again what somebody has taken away. */
  async check(signal: AbortSignal): Promise<void> {
    const { config, setProblem } = this.#options
    await this.#lanLinks.keep()
    const found = await this.node.check({ signal })
    setProblem('network', found.length === 0 ? undefined : found.join('; '))
    setProblem('names', await readNetdProblem(config.stateDir))
  }

  /** What crashes have left over. */
  async collectAddresses(signal: AbortSignal): Promise<void> {
    await this.addresses.release({ signal }).catch((error: unknown) => this.#warn(error, 'cannot look for leftovers'))
  }

  #warn(error: unknown, message: string): void {
    this.#options.config.log.warn({ reason: messageOf(error) }, message)
  }

  #log = (part: string): AgentConfig['log'] => this.#options.config.log.child({ part })

  get #socketPath(): string {
    return this.#options.config.dockerSocket ?? defaults.dockerSocket
  }

  #makeNodeNetwork(): NodeNetwork {
    const { networkDriver: driver = defaults.networkDriver } = this.#options.config
    return createNodeNetwork({
      ...{ socketPath: this.#socketPath, driver, netd: this.netd, log: this.#log('network') },
      learned: (options) => this.routing.learned(options),
      bridges: () => this.others.bridges,
    })
  }

  #makeLans(): LanKeeper {
    const { disk, isFrozen, setProblem, onChange } = this.#options
    return new LanKeeper({
      ...{ socketPath: this.#socketPath, exec: runCommand, log: this.#log('lan') },
      wanted: () => {
        const { network } = disk.node.state
        return network === undefined ? undefined : (network.lans ?? [])
      },
      isRouted: () => this.node.drivers.driver === 'routed',
      mayRemove: () => !isFrozen(),
      directory: join(disk.directory, 'flat'),
      isReached: (call) => reachesServer(disk.node.state.servers ?? disk.identity.servers, call),
      onChange: () => {
        const sentences = Object.values(this.lans.problems)
        setProblem('networks', sentences.length === 0 ? undefined : sentences.join('; '))
        onChange()
        // What there is now is told, too.
        void this.others.refresh().catch(() => undefined)
      },
    })
  }

  #makeLanLinks(): LanLinks {
    const { disk } = this.#options
    return new LanLinks({
      ...{ exec: runCommand, log: this.#log('lan') },
      lans: () => disk.node.state.network?.lans ?? [],
    })
  }

  #makeOthers(): OtherNetworks {
    const { disk, engine, onChange } = this.#options
    return new OtherNetworks({
      engine,
      remembered: disk.node.state.bridges ?? [],
      isBlocked: (name) => Object.hasOwn(this.lans.problems, name),
      onBridges: async (bridges) => {
        await disk.node.update({ bridges })
        await this.node.check()
      },
      onChange,
    })
  }

  #makeRouting(): RoutingService {
    const { config, disk, setProblem, onChange } = this.#options
    const { directory, sealer, node } = disk
    return new RoutingService({
      ...{
        directory: join(directory, 'routing'),
        runDirectory: birdDirectory(config.runDir ?? defaults.runDir),
        sealer,
      },
      log: this.#log('routing'),
      network: () => node.state.network,
      checkNetwork: (signal) => this.node.check({ signal }),
      anycast: () => this.failover.announced,
      onLook: (problem) => {
        setProblem('routing', problem)
        onChange()
      },
    })
  }

  #makeFailover(): FailoverService {
    const { config, disk, setProblem, onChange } = this.#options
    return new FailoverService({
      directory: join(disk.directory, 'failover'),
      runDirectory: failoverRunDirectory(config.runDir ?? defaults.runDir),
      log: this.#log('failover'),
      httpPort: config.gateway?.httpPort ?? defaults.httpPort,
      onAnnounced: () => this.routing.networkChanged(),
      onLook: (problem) => {
        setProblem('failover', problem)
        onChange()
      },
    })
  }

  #makeAddresses(): AddressCollector {
    const records = new EndpointRecords(endpointDirectory(this.#options.config.runDir ?? defaults.runDir))
    const calls = new DockerNetworkCalls(this.#socketPath, networkName, this.#log('network'))
    return new AddressCollector({
      members: new DockerMembers(calls, networkName),
      endpoints: new Endpoints({ records, links: createEndpointLinks(runCommand), now: Date.now }),
      driver: () => this.node.drivers.driver,
      ...{ exec: runCommand, log: this.#log('addresses') },
    })
  }

  #makePolicy(): PolicyKeeper {
    const { disk, setProblem, onChange } = this.#options
    return new PolicyKeeper({
      path: join(disk.directory, 'policy.json'),
      log: this.#log('policy'),
      onProblem: (problem) => setProblem('policy', problem),
      others: () => [...this.#byHandAddresses().map((address) => ({ address })), ...this.#byHand.wishes],
      onInForce: async (profiles) => {
        await this.#byHand.inForce(profiles)
        onChange()
      },
    })
  }

  #makeByHand(): ByHandWatch {
    const directory = endpointDirectory(this.#options.config.runDir ?? defaults.runDir)
    return new ByHandWatch({
      ...{ records: new EndpointRecords(directory), directory, log: this.#log('policy') },
      onChange: () => this.policy.othersChanged(),
    })
  }

  /** Which containers may have that were started by hand. Known from the disk, so that rules are in force before the network is. */
  #byHandAddresses(): readonly string[] {
    const block = this.#options.disk.node.state.network?.block ?? ''
    return block === '' || this.node.drivers.driver === 'bridge' ? [] : ownAddressList(parseBlock(block))
  }

  #makeBandwidth(): BandwidthKeeper {
    const { setProblem } = this.#options
    return new BandwidthKeeper({
      log: this.#log('bandwidth'),
      onProblem: (problem) => setProblem('bandwidth', problem),
    })
  }

  #makePublishing(): PublishKeeper {
    const { disk, setProblem } = this.#options
    return new PublishKeeper({
      log: this.#log('publishing'),
      blocks: () => {
        const { network } = disk.node.state
        if (network === undefined) return undefined
        const blocks = [network.block, ...(network.blocks ?? [])]
        return [...blocks, ...twinBlocksOf(network, blocks)]
      },
      onProblem: (problem) => setProblem('publishing', problem),
    })
  }

  #namesKeeper(): InstanceKeeper {
    let written = Promise.resolve()
    return {
      setInstances: (assignments) => {
        const local = assignments.map(({ instance, app, pool, address }) => ({ instance, app, pool, address }))
        written = this.netd.writeInstances(local).catch((error: unknown) => {
          this.#options.config.log.error({ err: error }, 'could not tell netd the instances of this node')
        })
      },
      ready: () => written,
    }
  }
}
