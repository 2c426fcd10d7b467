import type { FromAgent, ToAgent } from '@berth/api'
import { type InstanceStatus, messageOf, type NodeStatus } from '@berth/core'
import type { Logger } from 'pino'
import type { DesiredLine } from '../node/desired-state.ts'
import type { AgentRequest } from './agent-request.ts'
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
  nodeStatus(): NodeStatus
  instanceStatuses(): readonly InstanceStatus[]
  /** The server knows everything now and can act upon what is missing. */
  onHello(): void
  gatewayReport(): Extract<FromAgent, { type: 'gateway' }> | undefined
}

/** The long stream: the server says what should be, the agent what is. The newest stream gets the reports. */
export class SyncService {
  readonly #options: SyncServiceOptions
  #reports: ReportStream | undefined
  /** Lines are applied one after the other, over all streams. */
  #tail: Promise<void> = Promise.resolve()

  constructor(options: SyncServiceOptions) {
    this.#options = options
  }

  status(status: InstanceStatus): void {
    this.#reports?.status(status)
  }

  node(node: NodeStatus): void {
    this.#reports?.replace({ type: 'node', node })
  }

  gateway(report: Omit<Extract<FromAgent, { type: 'gateway' }>, 'type'>): void {
    this.#reports?.replace({ type: 'gateway', ...report })
  }

  imageMissing(image: string): void {
    this.#reports?.push({ type: 'image-missing', image })
  }

  async serve({ stream }: AgentRequest): Promise<void> {
    stream.respond({ ':status': 200, 'content-type': 'application/x-ndjson' })
    const reports = new ReportStream(stream)
    try {
      for await (const line of readLines(stream, maxLineBytes)) {
        const message = JSON.parse(line) as ToAgent
        // Answered at once: a long step must not look like a dead agent.
        if (message.type === 'ping') reports.push({ type: 'pong', at: message.at })
        else this.#tail = this.#tail.then(() => this.#take(message, reports))
      }
    } finally {
      if (this.#reports === reports) this.#reports = undefined
      stream.end()
    }
  }

  async #take(line: DesiredLine, reports: ReportStream): Promise<void> {
    try {
      await this.#options.apply(line)
    } catch (error) {
      this.#options.log.error(
        { type: line.type, err: error },
        `could not apply what the server said: ${messageOf(error)}`,
      )
    }
    if (line.type !== 'snapshot') return
    // What fails here must not keep the lines after it from being taken.
    await this.#sayHello(reports).catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'could not report to the server')
    })
  }

  async #sayHello(reports: ReportStream): Promise<void> {
    const { settled, nodeStatus, instanceStatuses, gatewayReport, onHello } = this.#options
    await settled(settleMs)
    // From here on every change is reported; the statuses are taken in the same turn, so none falls between.
    this.#reports = reports
    const statuses = instanceStatuses()
    reports.push({ type: 'hello', node: nodeStatus(), instances: statuses.slice(0, maxStatuses) })
    for (const status of statuses.slice(maxStatuses)) reports.status(status)
    const gateway = gatewayReport()
    if (gateway !== undefined) reports.replace(gateway)
    onHello()
  }
}
