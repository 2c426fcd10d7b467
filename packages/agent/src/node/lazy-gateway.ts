import { access, mkdir } from 'node:fs/promises'
import { type ConnectionRow, messageOf, type RequestRow, type RouteTable } from '@berth/core'
import type { Logger } from 'pino'
import { defaults } from '../config.ts'
import { createNginxGateway } from '../gateway/nginx-gateway.ts'
import type { NginxGatewayOptions } from '../gateway/nginx-options.ts'
import { removeGateway } from '../gateway/remove-gateway.ts'
import { ChangedRows, connectionRows } from '../layer4/connection-rows.ts'
import { GatewayWithPorts } from '../layer4/gateway-with-ports.ts'
import type { OpenCount, PortCount } from '../layer4/port-counts.ts'
import { PortRouteKeeper, type PortRouteKeeperOptions } from '../layer4/port-route-keeper.ts'
import { GatewayLoop, type GatewayReport } from './gateway-loop.ts'

export interface LazyGatewayOptions {
  /** Exists on nodes that are or were a gateway. */
  readonly directory: string
  readonly options: Partial<Omit<NginxGatewayOptions, 'stateDir' | 'log'>>
  /** For routes of ports. Absent: there are none. */
  readonly ports?: Omit<PortRouteKeeperOptions, 'directory' | 'log'>
  readonly log: Logger
  readonly onReport: (report: GatewayReport) => void
  /** With what has changed of connections by ports. */
  readonly onRequests: (rows: readonly RequestRow[], connections: readonly ConnectionRow[]) => void
  readonly onForced: () => void
  readonly onProblem: (problem: string | undefined) => void
}

/** How long requests that were begun may take when the node is no gateway any more; new ones find nobody at once. */
const endingMs = 30_000

/** The gateway of a node that becomes one with the first route table it is sent; after a restart it is one at once. */
export class LazyGateway implements AsyncDisposable {
  readonly #options: LazyGatewayOptions
  #loop: GatewayLoop | undefined
  #ports: PortRouteKeeper | undefined
  readonly #changed = new ChangedRows()
  #isEnding = false
  /** What was told last comes last, however long what came before takes. */
  #turns: Promise<void> = Promise.resolve()

  constructor(options: LazyGatewayOptions) {
    this.#options = options
  }

  get isRunning(): boolean {
    return this.#isEnding || (this.#loop?.isRunning ?? false)
  }

  get restartedAt(): number | undefined {
    return this.#loop?.restartedAt
  }

  get reloads(): number | undefined {
    return this.#loop?.reloads
  }

  get report(): GatewayReport | undefined {
    return this.#loop?.report
  }

  /** What became of requests since this agent counts; undefined where there is no gateway. */
  get requests(): readonly RequestRow[] | undefined {
    return this.#loop?.requests
  }

  /** What routes of ports have given to whom since this agent counts. */
  get portCounts(): readonly PortCount[] {
    return this.#ports?.counts ?? []
  }

  /** What each instance has had by them, for a server. */
  get connections(): readonly ConnectionRow[] {
    return connectionRows(this.portCounts, this.openConnections)
  }

  get openConnections(): readonly OpenCount[] {
    return this.#ports?.open ?? []
  }

  /** Traffic goes on without a server: nginx is adopted, or started from what it knew last. */
  async resume(): Promise<void> {
    if (await this.#isKnown()) await this.#start()
  }

  /** `force`: also a table that is older than the one in force, since the store is another one. */
  apply(routes: RouteTable, force: boolean): void {
    this.#inTurn(async () => (await this.#start()).apply(routes, force))
  }

  /** The node is none any more: nginx serves what it has begun, and what would make the node one again goes with it. `before`: what is done while it still serves. */
  end(before: () => Promise<void> = async () => undefined): void {
    this.#inTurn(async () => {
      await before()
      await this.#end()
    })
  }

  /** Does not wait for a gateway that is ending: nginx ends without an agent, and the next one is told again. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isEnding) await this.#turns
    await this.#loop?.[Symbol.asyncDispose]()
  }

  #inTurn(act: () => Promise<void>): void {
    this.#turns = this.#turns
      .then(act)
      .catch((error: unknown) => this.#options.onProblem(`the gateway: ${messageOf(error)}`))
  }

  async #end(): Promise<void> {
    const { directory, log, onProblem } = this.#options
    const loop = this.#loop
    if (loop === undefined && !(await this.#isKnown())) return
    log.info('this node is no gateway any more: nginx ends when it has served what it has begun')
    this.#isEnding = true
    try {
      this.#loop = undefined
      await loop?.[Symbol.asyncDispose]()
      this.#ports = undefined
      await removeGateway(directory, log, endingMs)
    } finally {
      this.#isEnding = false
    }
    onProblem(undefined)
    this.#options.ports?.onProblem(undefined)
  }

  #isKnown(): Promise<boolean> {
    return access(this.#options.directory).then(
      () => true,
      () => false,
    )
  }

  async #start(): Promise<GatewayLoop> {
    const { directory, options, log, onReport, onRequests, onForced, onProblem } = this.#options
    await mkdir(directory, { recursive: true, mode: 0o755 })
    const { httpPort, httpsPort } = defaults
    if (this.#loop !== undefined) return this.#loop
    const nginx = createNginxGateway({ httpPort, httpsPort, ...options, stateDir: directory, log })
    const { ports } = this.#options
    this.#ports = ports === undefined ? undefined : new PortRouteKeeper({ ...ports, directory, log })
    this.#loop = new GatewayLoop({
      gateway: this.#ports === undefined ? nginx : new GatewayWithPorts(nginx, this.#ports),
      log,
      onReport,
      onRequests: (rows) => onRequests(rows, this.#changed.take(this.connections)),
      onForced,
      onProblem,
    })
    return this.#loop
  }
}
