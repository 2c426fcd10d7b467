import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '@berth/api/testing/free-ports.testing'
import { eventually } from '../contract/store-under-test.ts'
import { EtcdMember } from './etcd-member.ts'
import { calls } from './etcd-messages.ts'

export interface ClusterOptions {
  readonly program?: string
  readonly members?: number
  /** More arguments of each member. */
  readonly arguments?: readonly string[]
  readonly scheme?: 'http' | 'https'
  /** Called before a member starts, for data that are to be there. */
  readonly prepare?: (member: {
    readonly name: string
    readonly dataDir: string
    readonly peer: string
    readonly token: string
  }) => Promise<void>
  /** Waits until every member answers without user and certificate. */
  readonly waitUntilHealthy?: boolean
}

/** Memory where there is some: what these tests look at survives a killed process either way. */
const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** A real etcd on loopback. Disposing it ends its processes and removes its data. */
export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly TestMember[]
  readonly #directory: string

  private constructor(directory: string, members: readonly TestMember[]) {
    this.#directory = directory
    this.members = members
  }

  static async start(options: ClusterOptions = {}): Promise<EtcdCluster> {
    const directory = await mkdtemp(join(parent, 'berth-etcd-'))
    const ports = await freePorts(2 * (options.members ?? 1))
    const count = ports.length / 2
    const initial = Array.from({ length: count }, (_, index) => `m${index}=http://127.0.0.1:${ports[count + index]}`)
    for (const peer of options.prepare === undefined ? [] : initial) {
      const [name = '', url = ''] = peer.split('=')
      await options.prepare?.({ name, dataDir: join(directory, name), peer: url, token: directory })
    }
    const members = initial.map((peer, index) => {
      const [name = '', url = ''] = peer.split('=')
      const client = `${options.scheme ?? 'http'}://127.0.0.1:${ports[index]}`
      return new TestMember(ports[index] as number, options.program ?? 'etcd', [
        ...['--name', name, '--data-dir', join(directory, name), '--log-level', 'error'],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', url, '--initial-advertise-peer-urls', url],
        ...['--initial-cluster', initial.join(','), '--initial-cluster-token', directory],
        ...(options.arguments ?? []),
      ])
    })
    const cluster = new EtcdCluster(directory, members)
    for (const member of members) member.start()
    try {
      if (options.waitUntilHealthy !== false) await cluster.healthy()
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
    return cluster
  }

  get addresses(): readonly string[] {
    return this.members.map(({ address }) => address)
  }

  async healthy(): Promise<void> {
    for (const member of this.members)
      if (member.isRunning) await eventually(() => member.answers(), `etcd ${member.address} answers`)
  }

  /** The member that leads. */
  async leader(): Promise<TestMember> {
    let found: TestMember | undefined
    await eventually(async () => {
      for (const member of this.members) {
        const status = member.isRunning ? await member.status().catch(() => undefined) : undefined
        if (status !== undefined && status.leader === status.header.member_id) found = member
      }
      return found?.isRunning === true
    }, 'a member leads')
    return found as TestMember
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()))
    await rm(this.#directory, { recursive: true, force: true })
  }
}

export class TestMember {
  readonly address: string
  readonly #program: string
  readonly #arguments: readonly string[]
  #process: ChildProcess | undefined

  constructor(port: number, program: string, args: readonly string[]) {
    this.address = `127.0.0.1:${port}`
    this.#program = program
    this.#arguments = args
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  start(): void {
    const child = spawn(this.#program, this.#arguments, { stdio: ['ignore', 'ignore', 'ignore'] })
    child.on('error', () => undefined)
    this.#process = child
    const killToo = (): void => void child.kill('SIGKILL')
    process.once('exit', killToo)
    child.once('exit', () => process.off('exit', killToo))
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }

  /** Neither answers nor hangs up. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  async status() {
    using member = new EtcdMember(this.address)
    return await member.ask(calls.status, {}, once2s())
  }

  async answers(): Promise<boolean> {
    using member = new EtcdMember(this.address)
    return await member.ask(calls.range, { key: Buffer.from('any') }, once2s()).then(
      () => true,
      () => false,
    )
  }
}

const once2s = () => ({ token: undefined, timeoutMs: 2_000, signal: new AbortController().signal })
