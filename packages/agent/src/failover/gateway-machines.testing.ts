import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FailoverAddress, type NodeFailover, type NodeFailoverStatus, planFailover } from '@berth/core'
import { pino } from 'pino'
import type { Gateway } from '../gateway/gateway.ts'
import { createNginxGateway } from '../gateway/nginx-gateway.ts'
import type { Exec } from '../network/run-command.ts'
import { NetSpace } from '../routing/net-space.testing.ts'
import { Scratch } from '../testing/scratch.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { FailoverService } from './failover-service.ts'

const log = pino({ level: 'silent' })
const everyMs = 20

export const failover = (router: number, address: string): FailoverAddress => ({
  ...{ address, router, createdAt: router, createdBy: 'ann' },
})

/** A machine with a real gateway and keepalived as the agent keeps it. */
export class GatewayMachine implements AsyncDisposable {
  readonly name: string
  readonly address: string
  readonly space: NetSpace
  readonly dir: string
  readonly gateway: Gateway
  exec: Exec
  problem: string | undefined
  onAnnounced: () => void = () => undefined
  service: FailoverService

  constructor(name: string, address: string, space: NetSpace, dir: string) {
    this.name = name
    this.address = address
    this.space = space
    this.dir = join(dir, `gateway-${name}`)
    this.exec = (...args) => space.exec(...args)
    this.gateway = createNginxGateway(
      { stateDir: join(this.dir, 'gateway'), httpPort: 80, workers: 1, connections: 256, log },
      space.exec,
    )
    this.service = this.makeService()
  }

  async startGateway(): Promise<void> {
    await mkdir(join(this.dir, 'gateway'), { recursive: true })
    await this.gateway.start()
  }

  /** Another agent on the same machine. */
  makeService(): FailoverService {
    return new FailoverService({
      ...{ directory: join(this.dir, 'state'), runDirectory: join(this.dir, 'run'), log, httpPort: 80 },
      onLook: (problem) => {
        this.problem = problem
      },
      onAnnounced: () => this.onAnnounced(),
      exec: (...args) => this.exec(...args),
      ...{ lookMs: 200, backAfterSeconds: 2 },
    })
  }

  statusOf(address: string): NodeFailoverStatus | undefined {
    return this.service.status.find((each) => each.address === address)
  }

  async has(address: string): Promise<boolean> {
    return (await this.space.ip('-o', 'address', 'show')).includes(` ${address}/`)
  }

  async pids(): Promise<number[]> {
    const texts = await Promise.all(
      ['pid', 'vrrp.pid'].map((name) => readFile(join(this.dir, 'run', name), 'utf8').catch(() => '')),
    )
    return texts.map(Number).filter((pid) => pid > 1)
  }

  /** As when somebody kills it, all of it: what it has put on links stays there. */
  async killKeepalived(): Promise<void> {
    for (const pid of await this.pids()) process.kill(pid, 'SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]()
    await this.gateway[Symbol.asyncDispose]()
    await this.space[Symbol.asyncDispose]()
  }
}

/** Machines 10.9.0.1, 10.9.0.2, … on a switch, which is a machine of that network as well. */
export class GatewayMachines implements AsyncDisposable {
  readonly scratch: Scratch
  readonly middle: NetSpace
  readonly all: GatewayMachine[] = []

  private constructor(scratch: Scratch, middle: NetSpace) {
    this.scratch = scratch
    this.middle = middle
  }

  static async switched(count: number): Promise<GatewayMachines> {
    const scratch = new Scratch('failover')
    const machines = new GatewayMachines(scratch, await NetSpace.make(scratch.dir))
    const { middle } = machines
    await middle.ip('link', 'add', 'switch', 'type', 'bridge')
    await middle.ip('address', 'add', '10.9.0.254/24', 'dev', 'switch')
    await middle.ip('address', 'add', 'fd09::254/64', 'dev', 'switch', 'nodad')
    await middle.ip('link', 'set', 'switch', 'up')
    for (let number = 1; number <= count; number += 1) {
      const space = await NetSpace.make(scratch.dir)
      await space.connect('eth0', `10.9.0.${number}/24`, middle, `port${number}`)
      await space.ip('address', 'add', `fd09::${number}/64`, 'dev', 'eth0', 'nodad')
      await middle.ip('link', 'set', `port${number}`, 'master', 'switch')
      machines.all.push(new GatewayMachine(`g${number}`, `10.9.0.${number}`, space, scratch.dir))
    }
    return machines
  }

  /** Tells each what a server would; those that are left out are being drained. */
  async tell(addresses: readonly FailoverAddress[], staying: readonly GatewayMachine[] = this.all): Promise<void> {
    const plan = this.planOf(addresses, staying)
    for (const machine of this.all) await machine.service.apply(plan.get(machine.name) ?? { source: '', addresses: [] })
  }

  planOf(
    addresses: readonly FailoverAddress[],
    machines: readonly GatewayMachine[] = this.all,
  ): ReadonlyMap<string, NodeFailover> {
    return planFailover({
      ...{ mode: 'static', addresses },
      nodes: machines.map(({ name, address }, index) => ({
        ...{ name, address, labels: { gateway: 'true' }, joinedAt: index },
      })),
    })
  }

  /** The one that has it, as soon as one alone does. */
  holder(address: string, deadlineMs = 20_000, among: readonly GatewayMachine[] = this.all): Promise<GatewayMachine> {
    return waitUntil(
      `one holder of ${address}`,
      async () => {
        const found = await Promise.all(among.map(async (each) => ((await each.has(address)) ? [each] : [])))
        const holders = found.flat()
        return holders.length === 1 ? holders[0] : undefined
      },
      deadlineMs,
      () => JSON.stringify(this.all.map(({ name, problem, service }) => [name, problem, service.status])),
    )
  }

  /** An answer of the gateway there, as a client in the network gets it. */
  async answers(address: string): Promise<boolean> {
    const at = address.includes(':') ? `[${address}]` : address
    const { stdout } = await this.middle.exec('curl', [
      '-sm',
      '2',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      `http://${at}/`,
    ])
    return stdout === '404'
  }

  /** Pings it fifty times a second; for how many milliseconds in all nobody answered. */
  async silence(address: string, forMs: number): Promise<number> {
    const count = forMs / everyMs
    const args = ['ping', '-c', String(count), '-i', String(everyMs / 1000), '-W', '1', address]
    const { stdout } = await this.middle.exec('busybox', args, { timeoutMs: 60_000 })
    const [, sent = '', received = ''] = /(\d+) packets transmitted, (\d+) packets received/.exec(stdout) ?? []
    if (Number(sent) < count) throw new Error(`ping did not end: ${stdout}`)
    return (Number(sent) - Number(received)) * everyMs
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.all) await machine[Symbol.asyncDispose]()
    await this.middle[Symbol.asyncDispose]()
    await this.scratch[Symbol.asyncDispose]()
  }
}
