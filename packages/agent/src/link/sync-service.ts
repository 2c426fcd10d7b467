import { hash } from 'node:crypto'
import { type FromAgent, type NodeUse, peersHeader, type ServerAddress, type SyncMode, type ToAgent } from '@berth/api'
import {
  BerthError,
  type ConnectionRow,
  describePeers,
  type InstanceStatus,
  isNothingNew,
  messageOf,
  type NodeStatus,
  type Peers,
  type RequestRow,
} from '@berth/core'
import type { Logger } from 'pino'
import type { DesiredLine } from '../node/desired-state.ts'
import type { AgentRequest } from './agent-request.ts'
import { ClockWatch } from './clock-watch.ts'
import { maxStatuses, ReportStream } from './report-stream.ts'
import { readLines } from './stream-io.ts'

const maxLineBytes = 256 * 1024 * 1024
/** How long the first report waits for probes of instances that were running before. */
const settleMs = 1_000

export interface SyncServiceOptions {
  readonly log: Logger
  apply(line: DesiredLine): Promise<void>
  /** Resolves when what runs has been looked at once, or after the time. */
  settled(timeoutMs: number): Promise<void>
  /** What it has of its peers. */
  peers(): Peers
  nodeStatus(): NodeStatus
  instanceStatuses(): readonly InstanceStatus[]
  /** A server that does not lead has said which servers there are, by its store. */
  onServers(epoch: string, servers: readonly ServerAddress[]): void
  /** What is wrong with this machine's clock, by that of the server that leads. */
  onClock(problem: string | undefined): void
  /** The server knows everything now and can act upon what is missing. */
  onHello(): void
  /** Undefined: not measured yet. */
  nodeUse(): NodeUse | undefined
  gatewayReport(): Extract<FromAgent, { type: 'gateway' }> | undefined
  /** What became of requests so far; undefined where there is no gateway. */
  requests(): readonly RequestRow[] | undefined
  /** The same of ports of the gateway. */
  connections?(): readonly ConnectionRow[]
}

const sha256 = (text: string): string => hash('sha256', text)

/** The server has left out what this node has said that it has: as it was then, whatever has come by another stream since. */
const withPeers = (line: DesiredLine, peers: Peers): DesiredLine =>
  line.type === 'snapshot' && line.peerParts !== undefined ? { ...line, network: { ...line.network, peers } } : line

/** The stream whose lines are taken. */
interface Lead {
  readonly reports: ReportStream
  readonly epoch: string
  readonly term: number | undefined
  /** By the monotonic clock; undefined while it is open. */
  endedAt?: number
}

/** For so long after the end of its stream a leader's term still speaks against an earlier one. */
const successionMs = 10_000

/**
 * The long streams: the leader says what should be, the agent what is; other servers are only told what the node is and what its gateway
 * has in force. Of two leaders in one epoch the one with the higher term is obeyed, else the newest stream; it gets the reports.
 */
export class SyncService {
  readonly #options: SyncServiceOptions
  readonly #listening = new Set<ReportStream>()
  #lead: Lead | undefined
  /** Set once the leader has got all that is known. */
  #reports: ReportStream | undefined
  /** Instances of which it has been told more than that they are assigned. */
  readonly #told = new Set<string>()
  #heardAt = Number.NEGATIVE_INFINITY
  readonly #clock = new ClockWatch()
  /** Lines are applied one after the other, over all streams. */
  #tail: Promise<void> = Promise.resolve()

  constructor(options: SyncServiceOptions) {
    this.#options = options
  }

  /** When a server said something last, by the monotonic clock. */
  get heardAt(): number {
    return this.#heardAt
  }

  status(status: InstanceStatus): void {
    if (isNothingNew(status) && !this.#told.has(status.id)) return
    if (status.phase === 'ended') this.#told.delete(status.id)
    else this.#told.add(status.id)
    this.#reports?.status(status)
  }

  node(node: NodeStatus): void {
    this.#tellAll({ type: 'node', node })
  }

  gateway(report: Omit<Extract<FromAgent, { type: 'gateway' }>, 'type'>): void {
    this.#tellAll({ type: 'gateway', ...report })
  }

  requests(rows: readonly RequestRow[], connections?: readonly ConnectionRow[]): void {
    this.#reports?.requests(rows, connections)
    for (const reports of this.#listening) reports.requests(rows, connections)
  }

  imageMissing(image: string): void {
    this.#reports?.push({ type: 'image-missing', image })
  }

  async serve({ stream, query }: AgentRequest): Promise<void> {
    const mode: SyncMode = query.get('mode') === 'listen' ? 'listen' : 'lead'
    const peers = this.#options.peers()
    const said = mode === 'lead' ? { [peersHeader]: describePeers(peers, sha256) } : {}
    stream.respond({ ':status': 200, 'content-type': 'application/x-ndjson', ...said })
    const reports = new ReportStream(stream)
    try {
      if (mode === 'listen') this.#beginListening(reports)
      for await (const line of readLines(stream, maxLineBytes)) {
        const message = JSON.parse(line) as ToAgent
        this.#heardAt = performance.now()
        // Answered at once: a long step must not look like a dead agent.
        if (message.type === 'ping') this.#answer(message.at, mode, reports)
        else if (mode === 'listen') this.#hearListener(message)
        else if (!this.#hear(withPeers(message, peers), reports)) return
      }
    } finally {
      this.#forget(reports)
      stream.end()
    }
  }

  #answer(at: number, mode: SyncMode, reports: ReportStream): void {
    reports.push(this.#pong(at))
    if (mode === 'lead') this.#options.onClock(this.#clock.note(at, Date.now(), performance.now()))
  }

  #pong(at: number): FromAgent {
    const use = this.#options.nodeUse()
    return use === undefined ? { type: 'pong', at } : { type: 'pong', at, use }
  }

  /** Nothing else of one that does not lead is taken. */
  #hearListener(line: DesiredLine): void {
    if (line.type === 'servers' && line.epoch !== undefined) this.#options.onServers(line.epoch, line.servers)
  }

  #beginListening(reports: ReportStream): void {
    this.#listening.add(reports)
    reports.replace({ type: 'node', node: this.#options.nodeStatus() })
    const { gatewayReport, requests, connections } = this.#options
    const gateway = gatewayReport()
    if (gateway !== undefined) reports.replace(gateway)
    reports.beginRequests(requests(), connections?.())
  }

  /** False when the stream is to end: another server leads by now. */
  #hear(line: DesiredLine, reports: ReportStream): boolean {
    if (line.type === 'snapshot') {
      if (this.#isSucceeded(line)) {
        const { epoch, term } = line
        this.#options.log.warn({ epoch, term, current: this.#lead?.term }, 'refused a server that leads no more')
        return false
      }
      this.#lead = { reports, epoch: line.epoch, term: line.term }
      this.#reports = undefined
    }
    this.#tail = this.#tail.then(() => this.#take(line, reports))
    return true
  }

  /** Where there is no higher term any more, what is older is judged by epoch and revision: a store may have been restored. */
  #isSucceeded({ epoch, term }: Extract<ToAgent, { type: 'snapshot' }>): boolean {
    const lead = this.#lead
    if (lead?.term === undefined || term === undefined || lead.epoch !== epoch || term >= lead.term) return false
    return lead.endedAt === undefined || performance.now() - lead.endedAt < successionMs
  }

  #forget(reports: ReportStream): void {
    this.#listening.delete(reports)
    if (this.#reports === reports) this.#reports = undefined
    if (this.#lead?.reports === reports) this.#lead.endedAt = performance.now()
  }

  async #take(line: DesiredLine, reports: ReportStream): Promise<void> {
    if (this.#lead?.reports !== reports) return
    try {
      await this.#options.apply(line)
    } catch (error) {
      this.#options.log.error(
        { type: line.type, err: error },
        `could not apply what the server said: ${messageOf(error)}`,
      )
      // All that comes after them would be of another table as well.
      if (error instanceof BerthError && error.code === 'link.foreign-changes') reports.close()
    }
    if (line.type !== 'snapshot') return
    // What fails here must not keep the lines after it from being taken.
    await this.#sayHello(reports).catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'could not report to the server')
    })
  }

  async #sayHello(reports: ReportStream): Promise<void> {
    const { settled, nodeStatus, instanceStatuses, gatewayReport, requests, connections, onHello } = this.#options
    await settled(settleMs)
    if (this.#lead?.reports !== reports) return
    // From here on every change is reported; the statuses are taken in the same turn, so none falls between.
    this.#reports = reports
    const statuses = instanceStatuses()
    this.#told.clear()
    for (const status of statuses) if (!isNothingNew(status)) this.#told.add(status.id)
    const accepts = ['peers', 'route-changes'] as const
    reports.push({ type: 'hello', node: nodeStatus(), instances: statuses.slice(0, maxStatuses), accepts })
    for (const status of statuses.slice(maxStatuses)) reports.status(status)
    const gateway = gatewayReport()
    if (gateway !== undefined) reports.replace(gateway)
    reports.beginRequests(requests(), connections?.())
    onHello()
  }

  #tellAll(line: Extract<FromAgent, { type: 'node' | 'gateway' }>): void {
    this.#reports?.replace(line)
    for (const reports of this.#listening) reports.replace(line)
  }
}
