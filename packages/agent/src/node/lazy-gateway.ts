import { access, mkdir } from 'node:fs/promises'
import { messageOf, type RouteTable } from '@berth/core'
import type { Logger } from 'pino'
import { defaults } from '../config.ts'
import { createNginxGateway } from '../gateway/nginx-gateway.ts'
import type { NginxGatewayOptions } from '../gateway/nginx-options.ts'
import { GatewayLoop, type GatewayReport } from './gateway-loop.ts'

export interface LazyGatewayOptions {
  /** Exists on nodes that are or were a gateway. */
  readonly directory: string
  readonly options: Partial<Omit<NginxGatewayOptions, 'stateDir' | 'log'>>
  readonly log: Logger
  readonly onReport: (report: GatewayReport) => void
  readonly onForced: () => void
  readonly onProblem: (problem: string | undefined) => void
}

/** The gateway of a node that becomes one with the first route table it is sent; after a restart it is one at once. */
export class LazyGateway implements AsyncDisposable {
  readonly #options: LazyGatewayOptions
  #loop: GatewayLoop | undefined

  constructor(options: LazyGatewayOptions) {
    this.#options = options
  }

  get isRunning(): boolean {
    return this.#loop?.isRunning ?? false
  }

  get restartedAt(): number | undefined {
    return this.#loop?.restartedAt
  }

  get report(): GatewayReport | undefined {
    return this.#loop?.report
  }

  /** Traffic goes on without a server: nginx is adopted, or started from what it knew last. */
  async resume(): Promise<void> {
    const known = await access(this.#options.directory).then(
      () => true,
      () => false,
    )
    if (known) await this.#start()
  }

  /** `force`: also a table that is older than the one in force, since the store is another one. */
  apply(routes: RouteTable, force: boolean): void {
    this.#start()
      .then((loop) => loop.apply(routes, force))
      .catch((error: unknown) => this.#options.onProblem(`the gateway: ${messageOf(error)}`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop?.[Symbol.asyncDispose]()
  }

  async #start(): Promise<GatewayLoop> {
    const { directory, options, log, onReport, onForced, onProblem } = this.#options
    await mkdir(directory, { recursive: true, mode: 0o755 })
    const { httpPort, httpsPort } = defaults
    this.#loop ??= new GatewayLoop({
      gateway: createNginxGateway({ httpPort, httpsPort, ...options, stateDir: directory, log }),
      log,
      onReport,
      onForced,
      onProblem,
    })
    return this.#loop
  }
}
