import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Assignment, InstanceStatus } from '@berth/core'
import type { AgentConfig } from '../config.ts'
import { writeIdentity } from '../link/node-identity.ts'
import { FakeServer } from './fake-server.ts'
import { TestAuthority } from './test-authority.ts'
import { TestHost, testImage, webCommand } from './test-host.ts'

const port = 7601

/** A host with a dockerd, an agent as a process of its own, and a pretended server. */
export class TestNode implements AsyncDisposable {
  readonly host: TestHost
  readonly server: FakeServer
  readonly authority: TestAuthority
  readonly #config: Partial<AgentConfig>
  #relay: ChildProcess | undefined
  #agent: ChildProcess | undefined
  readonly #agents: ChildProcess[] = []
  #instances = 0

  private constructor(host: TestHost, server: FakeServer, authority: TestAuthority, config: Partial<AgentConfig>) {
    this.host = host
    this.server = server
    this.authority = authority
    this.#config = config
  }

  static async start(config: Partial<AgentConfig> = {}): Promise<TestNode> {
    const authority = await TestAuthority.found()
    const host = await TestHost.start()
    const server = await FakeServer.listen(join(host.dir, 'server.sock'), authority)
    await writeIdentity(host.stateDir, await authority.identity('node-a', [{ host: '127.0.0.1', port }]))
    const node = new TestNode(host, server, authority, config)
    try {
      await node.startRelay()
      await node.startAgent()
      return node
    } catch (error) {
      await node[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Orders another instance. */
  assign(change: Partial<Assignment> = {}): Assignment {
    this.#instances += 1
    const assignment = testAssignment(this.#instances, change)
    this.server.assign(assignment)
    return assignment
  }

  async stopInstance({ instance }: Assignment): Promise<InstanceStatus> {
    this.server.change(instance, { desired: 'stop' })
    return await this.server.status(instance, 'ended', (each) => each.phase === 'ended')
  }

  containers(): string[] {
    return this.host.docker('ps', '-a', '--format', '{{.Names}}').split('\n')
  }

  persistOf({ entrypoint, ordinal }: Assignment): string {
    return join(this.host.stateDir, 'persist/shop/production', `${entrypoint}-${ordinal}`)
  }

  /** What it left at its end; undefined: nothing yet, or not any more. */
  endedOf({ entrypoint, ordinal }: Assignment): string | undefined {
    const pool = join(this.host.stateDir, 'persist/.ended/shop/production')
    const all = existsSync(pool) ? readdirSync(pool) : []
    const name = all.find((each) => each.startsWith(`${entrypoint}-${ordinal}@`))
    return name === undefined ? undefined : join(pool, name)
  }

  get agentPid(): number {
    return this.#agent?.pid ?? 0
  }

  get log(): string {
    return readFileSync(join(this.host.dir, 'agent.log'), 'utf8')
  }

  async startRelay(): Promise<void> {
    const script = join(import.meta.dirname, 'relay.ts')
    const [command, args] = this.host.inside(process.execPath, script, String(port), this.server.path)
    const relay = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#relay = relay
    await once(relay.stdout, 'data')
  }

  /** Stops or continues the way to the server without closing a connection. */
  signalRelay(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#relay?.kill(signal)
  }

  async startAgent(change: Partial<AgentConfig> = {}): Promise<void> {
    const { stateDir, runDir, dockerSocket, dir } = this.host
    const config = { stateDir, runDir, dockerSocket, version: '0.0.0-test', ...this.#config, ...change }
    const script = process.env.AGENT_ENTRY ?? join(import.meta.dirname, 'agent-entry.ts')
    const [command, args] = this.host.inside(
      process.execPath,
      ...(process.env.NODE_ARGS?.split(' ') ?? []),
      script,
      JSON.stringify(config),
    )
    const hellos = this.server.hellos
    const agent = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const log = createWriteStream(join(dir, 'agent.log'), { flags: 'a' })
    agent.stdout.pipe(log, { end: false })
    agent.stderr.pipe(log, { end: false })
    this.#agents.push(agent)
    const gone = once(agent, 'exit').then(() => {
      throw new Error(`the agent ended:\n${this.log.slice(-4000)}`)
    })
    gone.catch(() => undefined)
    await Promise.race([this.server.linked(hellos + 1, () => this.log.slice(-4000)), gone])
    this.#agent = agent
  }

  async killAgent(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const agent = this.#agent
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return
    const ended = once(agent, 'exit')
    agent.kill(signal)
    await ended
  }

  async reboot(): Promise<void> {
    await this.killAgent()
    this.#relay?.kill('SIGKILL')
    await this.host.reboot()
    await this.startRelay()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents) agent.kill('SIGKILL')
    this.#relay?.kill('SIGKILL')
    await this.server[Symbol.asyncDispose]()
    await this.host[Symbol.asyncDispose]()
  }
}

/** A small web service; addresses are in the block of the pretended server's network. */
export const testAssignment = (number: number, change: Partial<Assignment> = {}): Assignment => ({
  instance: `shop.production.web-${number}`,
  app: 'shop',
  pool: 'production',
  environment: 'production',
  entrypoint: 'web',
  ordinal: number,
  release: 'v1',
  type: 'service',
  desired: 'run',
  restartNonce: 0,
  address: `10.77.1.${number + 10}`,
  hostname: `web-${number}`,
  image: testImage,
  command: webCommand,
  env: { COLOR: 'blue' },
  secrets: [],
  config: [],
  cpuMilli: 500,
  memoryBytes: 64 * 2 ** 20,
  ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
  volumes: [],
  sysctls: {},
  ulimits: [],
  capabilities: [],
  init: false,
  restart: 'always',
  stopSignal: 'SIGTERM',
  stopGraceMs: 2_000,
  readyTimeoutMs: 30_000,
  jobTimeoutMs: 0,
  labels: {},
  logMaxBytes: 1_000_000,
  logMaxFiles: 2,
  ...change,
})
