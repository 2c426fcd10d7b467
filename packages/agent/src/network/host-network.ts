import { readFile, writeFile } from 'node:fs/promises'
import { BerthError, formatBlock, messageOf, type NetworkDriver } from '@berth/core'
import type { Logger } from 'pino'
import type { NetdFiles } from '../dns/netd-files.ts'
import type { RoutedSettings } from '../dns/netd-state.ts'
import { dnsAddress } from '../dns/resolv-conf.ts'
import { answerForAway, answerForAway6 } from './away-addresses.ts'
import type { DockerNetwork } from './docker-network.ts'
import {
  ensureForwardRules,
  forwardRules,
  removeForwardRules,
  removeTable,
  renderTable,
  rulesBetween,
} from './firewall.ts'
import { readLink, readRoutes } from './host-state.ts'
import { ensureBridge6, ensureIpv6Host, removeIpv6Host } from './ipv6-host.ts'
import { ownBlocks6 } from './ipv6-plan.ts'
import { ensureLoopbackAddress, hasLocalAddress, removeLoopbackAddress } from './loopback-address.ts'
import {
  bridgeName,
  describeRoute,
  findCollision,
  type NetworkPlan,
  planRoutes,
  type RouteStep,
  wholeBlocks,
} from './network-plan.ts'
import { routeProtocol } from './route-protocol.ts'
import { ensureRoutedHost, isRoutedHost, leaveOtherBlocks, removeRoutedHost, requireArpAnswers } from './routed-host.ts'
import { ensureRoutedHost6, ignoreRouters, kernelHasIpv6 } from './routed-host6.ts'
import { type Exec, mustRun } from './run-command.ts'
import { createTableKeeper } from './table-keeper.ts'

const peerUnroutable = 'network.peer-unroutable'
const poolCollides = 'network.pool-collides'

/** Failures that leave the node's own instances a network: problems to report, but nothing to wait for. */
export const bearable: ReadonlySet<string> = new Set([
  ...[peerUnroutable, poolCollides, 'network.engine-upgraded', 'network.driver-waits', 'network.ipv6-off'],
])

/** Of a network that is only taken away again, netd is told nothing. */
export interface DriverChoice {
  readonly wanted: NetworkDriver
  readonly tellNetd: NetdFiles['writeRouted']
}

type Signal = AbortSignal | undefined

/** Blocks that routes have been learned to; undefined: none are, they are all to be made here. */
export type LearnedRoutes = (options: { readonly signal: Signal }) => Promise<ReadonlySet<string> | undefined>

export interface HostNetworkOptions {
  readonly learned: LearnedRoutes
  readonly choice: DriverChoice
  /** Links of Docker's other bridges that instances are in. */
  readonly bridges: () => readonly string[]
}

/** What is to be made of the host's kernel and its engine. Every method reads first and changes only what differs. */
export class HostNetwork {
  readonly #log: Logger
  readonly #exec: Exec
  readonly #dockerNetwork: DockerNetwork
  readonly #keepTable: ReturnType<typeof createTableKeeper>
  readonly #learned: LearnedRoutes
  readonly #choice: DriverChoice
  readonly #bridges: () => readonly string[]
  #driver: NetworkDriver | undefined
  #range: string | undefined
  #blocks: readonly string[] = []
  #told: string | undefined

  constructor(dockerNetwork: DockerNetwork, exec: Exec, log: Logger, { learned, choice, bridges }: HostNetworkOptions) {
    this.#learned = learned
    this.#choice = choice
    this.#bridges = bridges
    this.#dockerNetwork = dockerNetwork
    this.#exec = exec
    this.#log = log
    this.#keepTable = createTableKeeper(exec, ['inet berth'])
  }

  /** What is in force as far as is known. */
  get driver(): NetworkDriver {
    return this.#driver ?? this.#choice.wanted
  }

  /** Of which addresses its containers may have any; undefined: of the block's only. */
  get range(): string | undefined {
    return this.#range
  }

  /** Blocks beside the first that are in force: in routed mode only. */
  get blocks(): readonly string[] {
    return this.#blocks
  }

  get wantedDriver(): NetworkDriver {
    return this.#choice.wanted
  }

  /** Throws `network.pool-collides`, but not once the node's block is in use: then it is for {@link repair} to complain of. */
  async requireRoomFor(plan: NetworkPlan, signal: Signal): Promise<void> {
    const bridge = await readLink(this.#exec, bridgeName, signal)
    if (bridge?.addresses.includes(bridgeAddress(plan)) || (isRoutedHost() && hasLocalAddress(plan.gateway))) return
    const collision = collisionOf(plan, await readRoutes(this.#exec, signal))
    if (collision !== undefined) throw collision
  }

  /** Takes every step, also when one fails: what does not depend on it still helps. Gives the failures in the order of the steps. */
  async repair(plan: NetworkPlan, removeAbsentPeers: boolean, signal: Signal): Promise<readonly BerthError[]> {
    const failures: BerthError[] = []
    const driver = await this.#settleDriver(signal, failures)
    this.#driver = driver
    const steps = [
      () => this.#enableForwarding(),
      () => this.#ensureDnsAddress(signal),
      () => this.#keepTable(renderTable(plan, dnsAddress, driver, this.#bridges()), { signal }),
      () => (driver === 'routed' ? this.#ensureRouted(plan, signal) : this.#ensureBridge(plan, signal)),
      () => ensureForwardRules(this.#exec, forwardRules(plan, driver, this.#bridges()), signal),
      async () => failures.push(...(await this.#ensureRoutes(plan, removeAbsentPeers, signal))),
      () => this.#ensureIpv6(plan, driver, { removeAbsentPeers, signal }),
    ]
    for (const step of steps) {
      await step().catch((error: unknown) => failures.push(asBerthError(error, signal)))
    }
    return failures
  }

  async remove(signal: Signal): Promise<void> {
    await this.#dockerNetwork.remove(signal)
    const routes = await readRoutes(this.#exec, signal)
    for (const route of routes.filter((each) => each.protocol === routeProtocol)) {
      await this.#applyRouteStep({ op: 'remove', block: route.dst }, signal)
    }
    await removeRoutedHost(this.#exec, signal)
    await removeForwardRules(this.#exec, signal)
    await removeForwardRules(this.#exec, signal, 'ip6tables')
    await removeIpv6Host(this.#exec, signal)
    await removeTable(this.#exec, signal)
    if (hasLocalAddress(dnsAddress)) await removeLoopbackAddress(this.#exec, dnsAddress, signal)
  }

  async #enableForwarding(): Promise<void> {
    if ((await readFile(forwardingPath, 'utf8')).trim() === '1') return
    await writeFile(forwardingPath, '1')
    this.#log.info('turned IPv4 forwarding on')
  }

  /** Nothing of it where the pool has no prefix. */
  async #ensureIpv6(
    { ipv6 }: NetworkPlan,
    driver: NetworkDriver,
    options: { readonly removeAbsentPeers: boolean; readonly signal: Signal },
  ): Promise<void> {
    if (ipv6 === undefined) return
    const { signal } = options
    const { pools } = ipv6
    const rules = ownBlocks6(ipv6).flatMap((block) => rulesBetween({ pools, block }, driver))
    await ensureForwardRules(this.#exec, rules, signal, 'ip6tables')
    // Before routes bear it as their source.
    if (driver === 'routed' && kernelHasIpv6()) await ensureRoutedHost6(this.#exec, ipv6, signal)
    const learned = await this.#learned({ signal })
    await ensureIpv6Host(this.#exec, ipv6, await readRoutes(this.#exec, signal), { ...options, learned })
  }

  async #ensureDnsAddress(signal: Signal): Promise<void> {
    if (!hasLocalAddress(dnsAddress)) await ensureLoopbackAddress(this.#exec, dnsAddress, signal)
  }

  /** Which driver's network to look after: only a node without containers changes it. */
  async #settleDriver(signal: Signal, failures: BerthError[]): Promise<NetworkDriver> {
    const { wanted } = this.#choice
    // Most nodes are in bridge mode, never were in another, and need not ask.
    if (wanted === 'bridge' && !isRoutedHost()) return wanted
    try {
      const { driver, bound } = await this.#dockerNetwork.settle(wanted, signal)
      if (driver !== wanted) failures.push(driverWaits(wanted, bound))
      return driver
    } catch (error) {
      // What is wrong with Docker is said by the step that needs it.
      asBerthError(error, signal)
      if (isRoutedHost()) return 'routed'
      return (await readLink(this.#exec, bridgeName, signal)) === undefined ? wanted : 'bridge'
    }
  }

  /** The kernel's part first: it is repaired while dockerd is dead, too. */
  async #ensureRouted(plan: NetworkPlan, signal: Signal): Promise<void> {
    await ensureRoutedHost(this.#exec, plan, signal)
    const [block, range] = [formatBlock(plan.block), formatBlock(plan.range)]
    const twins = plan.ipv6 === undefined || !kernelHasIpv6() ? {} : { twins: plan.ipv6.twins }
    const settings = { block, range, mtu: await this.#uplinkMtu(signal), ...twins }
    this.#range = await this.#dockerNetwork.ensureRouted(plan, () => this.#tellNetd(settings), signal)
    await leaveOtherBlocks(this.#exec, plan, signal)
    this.#blocks = wholeBlocks(plan).slice(1).map(formatBlock)
    await requireArpAnswers()
  }

  async #tellNetd(settings: RoutedSettings | undefined): Promise<void> {
    const text = JSON.stringify(settings) ?? ''
    if (this.#told === text) return
    await this.#choice.tellNetd(settings)
    this.#told = text
  }

  async #ensureBridge(plan: NetworkPlan, signal: Signal): Promise<void> {
    const before = await readLink(this.#exec, bridgeName, signal)
    await this.#dockerNetwork.ensure(plan, () => this.#uplinkMtu(signal), before !== undefined, signal)
    this.#range = undefined
    this.#blocks = []
    if (isRoutedHost()) await this.#leaveRouted(signal)
    // The addresses of IPv6 of one that has just been made are no good yet.
    const link = plan.ipv6 === undefined ? before : await readLink(this.#exec, bridgeName, signal)
    if (link === undefined) return
    if (!link.addresses.includes(bridgeAddress(plan))) {
      await mustRun(this.#exec, 'ip', ['address', 'replace', bridgeAddress(plan), 'dev', bridgeName], { signal })
    }
    if (!link.up) await mustRun(this.#exec, 'ip', ['link', 'set', bridgeName, 'up'], { signal })
    await answerForAway(this.#exec, plan, signal)
    if (plan.ipv6 === undefined) return
    await ensureBridge6(this.#exec, bridgeName, plan.ipv6, signal)
    await ignoreRouters(bridgeName)
    await answerForAway6(this.#exec, plan.ipv6, signal)
  }

  /** The bridge is there, and has the node's address. */
  async #leaveRouted(signal: Signal): Promise<void> {
    await this.#tellNetd(undefined)
    await removeRoutedHost(this.#exec, signal)
  }

  /** Containers must not send larger packets than the way out of the node takes. */
  async #uplinkMtu(signal: Signal): Promise<number> {
    const uplink = (await readRoutes(this.#exec, signal)).find((route) => route.dst === 'default')?.dev
    const link = uplink === undefined ? undefined : await readLink(this.#exec, uplink, signal)
    return link?.mtu ?? 1500
  }

  async #ensureRoutes(plan: NetworkPlan, removeAbsentPeers: boolean, signal: Signal): Promise<BerthError[]> {
    const routes = await readRoutes(this.#exec, signal)
    const collision = collisionOf(plan, routes)
    const { steps, problems } = planRoutes(plan, routes, removeAbsentPeers, await this.#learned({ signal }))
    const failures = problems.map((problem) => new BerthError(peerUnroutable, problem))
    if (collision !== undefined) failures.push(collision)
    for (const step of steps) {
      await this.#applyRouteStep(step, signal).catch((error: unknown) =>
        failures.push(routeFailure(step, error, signal)),
      )
    }
    return failures
  }

  async #applyRouteStep(step: RouteStep, signal: Signal): Promise<void> {
    const target = { set: 'replace', remove: 'delete' }[step.op]
    const way = step.op === 'set' ? ['via', step.via, 'src', step.source] : []
    await mustRun(this.#exec, 'ip', ['route', target, step.block, ...way, 'proto', routeProtocol], { signal })
    this.#log.info({ step }, 'changed a route')
  }
}

const forwardingPath = '/proc/sys/net/ipv4/ip_forward'

const bridgeAddress = (plan: NetworkPlan): string => `${plan.gateway}/${plan.block.prefix}`

function driverWaits(wanted: NetworkDriver, bound: number): BerthError {
  const what = wanted === 'routed' ? 'a routed network' : 'a bridge'
  const containers = bound === 1 ? 'one container is' : `${bound} containers are`
  return new BerthError(
    'network.driver-waits',
    `this node is to have ${what}, but ${containers} in the network that it has: it changes when they are gone (berth node drain)`,
  )
}

function routeFailure(step: RouteStep, error: unknown, signal: Signal): BerthError {
  const cause = asBerthError(error, signal)
  if (step.op === 'remove') return cause
  const said = String(cause.details.stderr ?? cause.message)
  return new BerthError(
    peerUnroutable,
    `route to node ${step.node} (${step.block} via ${step.via}): ${said}; both nodes must be in one layer 2 network`,
    { cause },
  )
}

/** An abort is no failure of a step and ends the whole call. */
function asBerthError(error: unknown, signal: Signal): BerthError {
  if (signal?.aborted) throw signal.reason
  if (error instanceof BerthError) return error
  return new BerthError('network.command-failed', messageOf(error), { cause: error })
}

function collisionOf(plan: NetworkPlan, routes: Parameters<typeof findCollision>[1]): BerthError | undefined {
  const found = plan.pools.flatMap((range) => {
    const route = findCollision(range, routes)
    return route === undefined ? [] : [{ pool: formatBlock(range), route: describeRoute(route) }]
  })[0]
  if (found === undefined) return undefined
  const { pool, route } = found
  return new BerthError(
    poolCollides,
    `the cluster's pool ${pool} collides with a network of this host (${route}); choose a pool that no host uses`,
    { details: { pool, route } },
  )
}
