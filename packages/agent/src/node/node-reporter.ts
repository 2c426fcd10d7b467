import { statfs } from 'node:fs/promises'
import { messageOf, type NodeStatus, nodeAbilities, roomProblem } from '@berth/core'
import type { Logger } from 'pino'
import type { EngineInfo } from '../engine/engine.ts'
import { type NodeFacts, readNodeFacts } from '../metrics/node-facts.ts'
import { Problems } from './problems.ts'

/** Free space is told in steps of this: a status is written to the store, and must not change all the time. */
const diskStepBytes = 256 * 1024 * 1024
const lowDiskShare = 0.05

export interface NodeReporterOptions {
  readonly name: string
  readonly agentVersion: string
  /** Berth's own folder, which may be on another disk than Docker's. */
  readonly stateDir: string
  readonly endedFiles: NonNullable<NodeStatus['endedFiles']>
  readonly log: Logger
  readonly isGateway: () => boolean
  readonly gatewayRestartedAt: () => number | undefined
  readonly gatewayReloads: () => number | undefined
  readonly upgrade: () => NodeStatus['upgrade']
  readonly config: () => NodeStatus['config']
  readonly routes: () => NodeStatus['routes']
  readonly failover: () => NonNullable<NodeStatus['failover']>
  readonly network: () => NonNullable<NodeStatus['network']>
  readonly dockerNetworks: () => NodeStatus['dockerNetworks']
  readonly lanProblems: () => NonNullable<NodeStatus['lanProblems']>
  readonly byHand: () => NonNullable<NodeStatus['byHand']>
  readonly onChange: (status: NodeStatus) => void
}

const unknownFacts: NodeFacts = {
  cpuMilli: 0,
  memoryBytes: 0,
  diskBytes: 0,
  diskFreeBytes: 0,
  kernel: '',
  os: '',
  cgroup: 'v1',
}

/** Keeps the node's own status, and tells when it changes. */
export class NodeReporter {
  readonly problems: Problems
  readonly #options: NodeReporterOptions
  readonly #onlineSince = Date.now()
  #facts = unknownFacts
  #engine: EngineInfo | undefined
  #reported = ''

  constructor(options: NodeReporterOptions) {
    this.#options = options
    this.problems = new Problems(() => this.#report())
  }

  status(): NodeStatus {
    const { name, agentVersion, endedFiles, isGateway } = this.#options
    const gatewayRestartedAt = this.#options.gatewayRestartedAt()
    const gatewayReloads = this.#options.gatewayReloads()
    const upgrade = this.#options.upgrade()
    const config = this.#options.config()
    const routes = this.#options.routes()
    const failover = this.#options.failover()
    const dockerNetworks = this.#options.dockerNetworks()
    return {
      name,
      online: true,
      onlineSince: this.#onlineSince,
      ...this.#facts,
      agentVersion,
      endedFiles,
      engineVersion: this.#engine?.version ?? '',
      engineApi: this.#engine?.api ?? '',
      gateway: isGateway(),
      network: this.#options.network(),
      ...(gatewayRestartedAt === undefined ? {} : { gatewayRestartedAt }),
      ...(gatewayReloads === undefined ? {} : { gatewayReloads }),
      ...(upgrade === undefined ? {} : { upgrade }),
      ...(config === undefined ? {} : { config }),
      ...(dockerNetworks === undefined ? {} : { dockerNetworks }),
      lanProblems: this.#options.lanProblems(),
      abilities: nodeAbilities,
      byHand: this.#options.byHand(),
      ...(routes === undefined ? {} : { routes }),
      ...(failover.length === 0 ? {} : { failover }),
      problems: this.problems.list(),
    }
  }

  /** Numbers of the cores that may be used; none before they are known. */
  get cores(): readonly number[] {
    return this.#facts.cores?.numa.flat() ?? []
  }

  engineSeen(info: EngineInfo): void {
    this.#engine = info
    const sentence =
      'Docker runs without live-restore: its restart ends every instance; set "live-restore": true in /etc/docker/daemon.json'
    this.problems.set('live-restore', info.liveRestore ? undefined : sentence)
  }

  /** Reads the node's facts anew. */
  async refresh(): Promise<void> {
    try {
      const facts = await readNodeFacts({ diskPath: this.#engine?.rootDirectory ?? '/var/lib/docker' })
      const diskFreeBytes = Math.floor(facts.diskFreeBytes / diskStepBytes) * diskStepBytes
      this.#facts = { ...facts, diskFreeBytes }
      const low = facts.diskFreeBytes < facts.diskBytes * lowDiskShare
      const gibibytes = (facts.diskFreeBytes / 1024 ** 3).toFixed(1)
      this.problems.set('disk', low ? `the disk of Docker is nearly full: ${gibibytes} GiB free` : undefined)
    } catch (error) {
      this.#options.log.warn({ reason: messageOf(error) }, 'cannot read the facts of the node')
    }
    await this.#lookForRoom()
    this.#report()
  }

  async #lookForRoom(): Promise<void> {
    const { stateDir, log } = this.#options
    try {
      const { bavail, bsize } = await statfs(stateDir)
      this.problems.set('room', roomProblem(stateDir, bavail * bsize))
    } catch (error) {
      log.warn({ reason: messageOf(error) }, `cannot tell how much is free below ${stateDir}`)
    }
  }

  changed(): void {
    this.#report()
  }

  #report(): void {
    const status = this.status()
    const text = JSON.stringify(status)
    if (text === this.#reported) return
    this.#reported = text
    this.#options.onChange(status)
  }
}
