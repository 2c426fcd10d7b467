import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type NetworkConfig, type NodeRouting, routedGateway, routedLinkOf, twinOf, twinRange } from '@berth/core'
import { pino } from 'pino'
import { answerForAway } from '../network/away-addresses.ts'
import { readRoutes, readRoutes6 } from '../network/host-state.ts'
import { linkAddressOf, type NetworkPlan6, planRoutes6 } from '../network/ipv6-plan.ts'
import { planNetwork, planRoutes } from '../network/network-plan.ts'
import { routedProtocol, routeProtocol } from '../network/route-protocol.ts'
import type { Exec } from '../network/run-command.ts'
import { createSealer } from '../state/sealer.ts'
import { NetSpace } from './net-space.testing.ts'
import { RoutingService } from './routing-service.ts'

export const log = pino({ level: 'silent' })
const pool = '10.77.0.0/16'
const twins = [{ range: pool, ipv6: 'fd77:1::/64' }]
export const twin = (address: string): string => twinOf(twins.map(twinRange), address) ?? ''
const key = randomBytes(32)

export interface Place {
  readonly name: string
  readonly address: string
  /** `10.77.1.0/24` is block 1. */
  readonly number: number
}

/** A node as far as routes go: a host with a bridge and one container on it, static routes, and BIRD as the agent keeps it. */
export class RoutedNode implements AsyncDisposable {
  readonly host: NetSpace
  readonly container: NetSpace
  readonly place: Place
  readonly dir: string
  network: NetworkConfig
  exec: Exec
  problem: string | undefined
  /** Failover addresses of its gateway. */
  anycast: () => readonly string[] = () => []
  service: RoutingService

  private constructor(place: Place, dir: string, host: NetSpace, container: NetSpace) {
    this.place = place
    this.dir = join(dir, place.name)
    this.host = host
    this.container = container
    this.network = { pool, block: blockOf(place), peers: [], domain: 'berth', defaultPool: 'production' }
    this.exec = (...args) => host.exec(...args)
    this.service = this.makeService()
  }

  static async make(place: Place, dir: string): Promise<RoutedNode> {
    const [host, container] = [await NetSpace.make(dir), await NetSpace.make(dir)]
    const prefix = `10.77.${place.number}`
    await host.ip('link', 'add', 'berth0', 'type', 'bridge')
    await host.ip('address', 'add', `${prefix}.1/24`, 'dev', 'berth0')
    await host.ip('link', 'set', 'berth0', 'up')
    await container.connect('eth0', `${prefix}.5/24`, host, 'port')
    await host.ip('link', 'set', 'port', 'master', 'berth0')
    await container.ip('route', 'add', 'default', 'via', `${prefix}.1`)
    return new RoutedNode(place, dir, host, container)
  }

  /** Another agent on the same node. */
  makeService(): RoutingService {
    return new RoutingService({
      ...{ directory: join(this.dir, 'state'), runDirectory: join(this.dir, 'run'), sealer: createSealer(key), log },
      network: () => this.network,
      checkNetwork: () => this.checkStatic(),
      onLook: (problem) => {
        this.problem = problem
      },
      exec: (...args) => this.exec(...args),
      anycast: () => this.anycast(),
      ...{ namespace: this.host.path, lookMs: 200 },
    })
  }

  knows(places: readonly Place[]): void {
    const peers = places.map((place) => ({ node: place.name, block: blockOf(place), via: place.address }))
    this.network = { ...this.network, peers }
  }

  async apply(routing: NodeRouting | undefined): Promise<void> {
    if (routing !== undefined) await this.service.apply(routing)
  }

  /** What the node's network does with routes, as it does it. */
  async checkStatic(): Promise<void> {
    const { exec } = this.host
    const learned = await this.service.learned()
    const plan = planNetwork(this.network)
    const { steps } = planRoutes(plan, await readRoutes(exec), true, learned)
    await answerForAway(exec, plan)
    for (const step of steps) {
      if (step.op === 'remove') await this.host.ip('route', 'delete', step.block, 'proto', routeProtocol)
      else
        await this.host.ip('route', 'replace', step.block, 'via', step.via, 'src', step.source, 'proto', routeProtocol)
    }
    if (plan.ipv6 !== undefined) await this.#checkStatic6(plan.ipv6, learned)
  }

  async #checkStatic6(plan: NetworkPlan6, learned: ReadonlySet<string> | undefined): Promise<void> {
    const { exec } = this.host
    const routes = { routes: await readRoutes6(exec), routes4: await readRoutes(exec) }
    for (const step of planRoutes6(plan, routes, true, learned))
      if (step.op === 'set') await this.host.ip('-6', 'route', 'replace', ...step.route)
      else await this.host.ip('-6', 'route', 'delete', step.block, 'proto', routeProtocol)
  }

  /** What the node's network makes of its host where the pool has IPv6, and the container's address. */
  async prepareIpv6(): Promise<void> {
    const prefix = `10.77.${this.place.number}`
    const { host, container } = this
    await host.run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1')
    await host.ip('address', 'add', `${linkAddressOf(this.place.address)}/64`, 'dev', 'eth0', 'nodad')
    await host.ip('address', 'add', `${twin(`${prefix}.1`)}/120`, 'dev', 'berth0', 'nodad')
    await container.ip('address', 'add', `${twin(`${prefix}.5`)}/120`, 'dev', 'eth0', 'nodad')
    await container.ip('route', 'add', 'default', 'via', twin(`${prefix}.1`))
  }

  /** Its pool has IPv6 from now on. */
  giveIpv6(): void {
    this.network = { ...this.network, twins }
    this.service.networkChanged()
  }

  async isWhole(): Promise<boolean> {
    const { summary } = this.service
    return summary !== undefined && summary.up === summary.sessions && this.problem === undefined
  }

  /** Of the table that BIRD writes: block → next hop. */
  async learned(family: '-4' | '-6' = '-4'): Promise<Record<string, string>> {
    const text = await this.host.ip('-json', family, 'route', 'show', 'table', '77').catch(() => '[]')
    const routes = JSON.parse(text.trim() === '' ? '[]' : text) as { dst: string; gateway?: string }[]
    return Object.fromEntries(routes.map(({ dst, gateway = '' }) => [dst, gateway]))
  }

  async statics(): Promise<string[]> {
    const routes = [...(await readRoutes(this.host.exec)), ...(await readRoutes6(this.host.exec))]
    return routes.flatMap(({ dst, protocol }) => (protocol === routeProtocol ? [dst] : []))
  }

  async birdPid(): Promise<number | undefined> {
    const pid = Number((await readFile(join(this.dir, 'run', 'pid'), 'utf8').catch(() => '')).trim())
    return pid > 0 ? pid : undefined
  }

  /** Another container, with an address of any block and a link of its own, as on a node in routed mode. */
  async bear(address: string): Promise<NetSpace> {
    const [space, link] = [await NetSpace.make(this.dir), routedLinkOf(address)]
    await this.host.ip('address', 'replace', `${routedGateway}/32`, 'dev', 'lo', 'scope', 'host')
    await space.connect('eth0', `${address}/32`, this.host, link)
    const source = ['src', `10.77.${this.place.number}.1`, 'proto', routedProtocol]
    await this.host.ip('route', 'replace', `${address}/32`, 'dev', link, 'scope', 'link', ...source)
    await space.ip('route', 'add', routedGateway, 'dev', 'eth0', 'scope', 'link')
    await space.ip('route', 'add', 'default', 'via', routedGateway)
    return space
  }

  /** Pings the other node's container from this one's, 50 times a second; how many were lost. */
  lost(other: RoutedNode, count: number): Promise<number> {
    return this.lostTo(`10.77.${other.place.number}.5`, count)
  }

  lost6(other: RoutedNode, count: number): Promise<number> {
    return this.lostTo(twin(`10.77.${other.place.number}.5`), count)
  }

  async lostTo(address: string, count: number): Promise<number> {
    const args = ['ping', '-c', String(count), '-i', '0.02', '-W', '1', address]
    const { stdout } = await this.container.exec('busybox', args, { timeoutMs: 60_000 })
    const [, sent = '', received = ''] = /(\d+) packets transmitted, (\d+) packets received/.exec(stdout) ?? []
    if (sent !== String(count)) throw new Error(`ping did not end: ${stdout}`)
    return Number(sent) - Number(received)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]()
    await this.container[Symbol.asyncDispose]()
    await this.host[Symbol.asyncDispose]()
  }
}

export const blockOf = ({ number }: Place): string => `10.77.${number}.0/24`
