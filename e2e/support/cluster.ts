import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, createClient } from '../../packages/api/src/index.ts'
import { createTransport } from '../../packages/cli/src/context/transports.ts'
import { createLab, type ExecResult, type Lab, type LabHost } from '../../packages/lab/src/index.ts'
import { until } from './load.ts'

const root = join(import.meta.dirname, '../..')
export const berthBinary = join(root, 'dist/berth')

export interface Berth {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Standard output of `-o json`. */
  json<T>(): T
}

/** One lab whose first host is a whole Berth: server, agent, names and gateway, run from the executable as its users have it. */
export class Cluster implements AsyncDisposable {
  readonly lab: Lab
  /** Where repositories of test apps are. */
  readonly dir: string

  private constructor(lab: Lab, dir: string) {
    this.lab = lab
    this.dir = dir
  }

  static async start(
    options: {
      readonly hosts?: number
      readonly dockerdPath?: string
      readonly usrLayer?: string
      /** Before `berth up`; what it returns is added to its arguments. */
      readonly beforeUp?: (first: LabHost) => Promise<readonly string[]>
    } = {},
  ): Promise<Cluster> {
    if (!existsSync(berthBinary)) throw new Error(`${berthBinary} does not exist: npm run build:binary`)
    const { dockerdPath, usrLayer } = options
    const host = {
      baseImages: true,
      ...(dockerdPath === undefined ? {} : { dockerdPath }),
      ...(usrLayer === undefined ? {} : { usrLayer }),
    }
    const lab = await createLab({ hosts: Array.from({ length: options.hosts ?? 1 }, () => host) })
    const dir = join(lab.dir, 'repositories')
    mkdirSync(dir, { recursive: true })
    const cluster = new Cluster(lab, dir)
    try {
      const more = (await options.beforeUp?.(cluster.first)) ?? []
      await cluster.mustBerth([
        'up',
        ...more,
        '--node',
        'h1',
        '--address',
        cluster.first.address,
        '--address-pool',
        lab.containerPool,
      ])
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]()
  }

  get first(): LabHost {
    const host = this.lab.hosts[0]
    if (host === undefined) throw new Error('a lab without hosts')
    return host
  }

  /** The API by the first host's socket, which this machine sees as well. */
  get client(): Client {
    return this.clientOf(this.first)
  }

  clientOf(host: LabHost): Client {
    return createClient(createTransport({ type: 'socket', path: join(host.dir, 'run/berth/server.sock') }))
  }

  get gatewayUrl(): string {
    return `http://${this.first.address}`
  }

  /** Runs `berth` on a host (the first one if none is named). */
  async berth(
    args: readonly string[],
    options: {
      readonly host?: LabHost
      readonly cwd?: string
      readonly input?: string
      readonly env?: Record<string, string>
    } = {},
  ): Promise<Berth> {
    const { host = this.first, ...rest } = options
    const result = await host.exec([berthBinary, ...args], rest)
    return { ...result, json: () => JSON.parse(result.stdout) }
  }

  async mustBerth(args: readonly string[], options: Parameters<Cluster['berth']>[1] = {}): Promise<Berth> {
    const result = await this.berth(args, options)
    if (result.code !== 0)
      throw new Error(
        `berth ${args.join(' ')} ended with ${result.code}:\n${result.stdout}${result.stderr}\n${this.logs(options.host)}`,
      )
    return result
  }

  /** As a machine boots: Docker and Berth start at once (systemd starts netd first, which Docker asks for routed networks). What it was told the first time holds. */
  async reboot(host: LabHost = this.first): Promise<Berth> {
    await host.reboot({ startDockerd: false })
    const docker = host.startDockerd()
    docker.catch(() => undefined)
    // Where nothing is there yet, Berth would start one of its own.
    await host.exec(['sh', '-c', 'for i in $(seq 300); do test -S /run/docker.sock && exit; sleep 0.1; done'])
    const up = await this.mustBerth(['up'], { host })
    await docker
    return up
  }

  /** Brings another host in by a one-time token. */
  async join(host: LabHost, more: readonly string[] = []): Promise<void> {
    const token = (await this.mustBerth(['node', 'token', '-o', 'json'])).json<{ token: string }>().token
    const args = [
      'node',
      'join',
      '--server',
      `${this.first.address}:7600`,
      '--node',
      host.name,
      '--address',
      host.address,
      '--no-gateway',
      ...more,
    ]
    await this.mustBerth(args, { host, env: { BERTH_JOIN_TOKEN: token } })
  }

  async untilOnline(count: number): Promise<void> {
    await until(`${count} nodes to be online`, async () => {
      const { items } = await this.client.list('listNodes')
      return items.filter((node) => node.online).length === count
    })
  }

  /** Last lines of the host's processes, for failures. */
  logs(host: LabHost = this.first): string {
    return ['supervisor', 'server', 'agent', 'netd']
      .map((name) => {
        const file = join(host.dir, 'berth/logs', `${name}.log`)
        return existsSync(file) ? `== ${name}\n${readFileSync(file, 'utf8').split('\n').slice(-15).join('\n')}` : ''
      })
      .join('\n')
  }

  /** A process of Berth as this machine sees it. */
  async pidOf(name: 'server' | 'agent' | 'netd', host: LabHost = this.first): Promise<number> {
    const { processes } = JSON.parse(readFileSync(join(host.dir, 'berth/supervisor.json'), 'utf8'))
    const pid = await host.outerPid(processes[name].pid)
    if (pid === undefined) throw new Error(`${name} does not run on ${host.name}`)
    return pid
  }

  async repository(name: string, files: Readonly<Record<string, string>>): Promise<Repository> {
    const repository = new Repository(this.first, join(this.dir, name))
    rmSync(repository.path, { recursive: true, force: true })
    mkdirSync(repository.path, { recursive: true })
    await repository.git(['init', '-q', '-b', 'main'])
    await repository.commit(files)
    return repository
  }

  async containers(host: LabHost = this.first): Promise<{ name: string; pid: number; address: string }[]> {
    const list = await host.exec(['docker', 'ps', '-q', '--filter', 'label=berth.instance'])
    const ids = list.stdout.split('\n').filter((line) => line !== '')
    if (ids.length === 0) return []
    const format = '{{.Name}} {{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
    const shown = await host.exec(['docker', 'inspect', '--format', format, ...ids])
    return shown.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([container = '', pid = '', address = '']) => ({
        name: container.replace(/^\//, ''),
        pid: Number(pid),
        address,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}

/** A git repository of a test app, at a path that hosts see too. */
export class Repository {
  readonly path: string
  readonly #host: LabHost

  constructor(host: LabHost, path: string) {
    this.#host = host
    this.path = path
  }

  async git(args: readonly string[]): Promise<ExecResult> {
    const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false']
    const result = await this.#host.exec(['git', ...identity, ...args], { cwd: this.path })
    if (result.code !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}`)
    return result
  }

  async commit(files: Readonly<Record<string, string>>, message = 'change'): Promise<string> {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(this.path, name, '..'), { recursive: true })
      writeFileSync(join(this.path, name), text)
    }
    await this.git(['add', '-A'])
    await this.git(['commit', '-q', '-m', message])
    return (await this.git(['rev-parse', 'HEAD'])).stdout.trim()
  }
}
