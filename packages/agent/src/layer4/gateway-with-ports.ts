import type { RouteTable } from '@berth/core'
import type { CallOptions, Gateway, GatewayStatus, WorkerCounts } from '../gateway/gateway.ts'
import type { PortRouteKeeper } from './port-route-keeper.ts'

/** A gateway's nginx, and beside it the kernel for routes of ports. To who drives it they are one: what is in force is in force in both. */
export class GatewayWithPorts implements Gateway {
  readonly #gateway: Gateway
  readonly #ports: PortRouteKeeper

  constructor(gateway: Gateway, ports: PortRouteKeeper) {
    this.#gateway = gateway
    this.#ports = ports
  }

  /** Ports are served also where nginx cannot be started. */
  async start(options: CallOptions = {}): Promise<void> {
    await this.#ports.start(options.signal)
    await this.#gateway.start(options)
  }

  /** nginx says what is wrong with a table, or that it is too old; then the kernel keeps what it has as well. */
  async apply(table: RouteTable, options: CallOptions & { readonly force?: boolean } = {}): Promise<void> {
    await this.#gateway.apply(table, options)
    await this.#ports.apply(table, options.signal)
  }

  async status(options: CallOptions & { readonly counters?: boolean } = {}): Promise<GatewayStatus> {
    const status = await this.#gateway.status(options)
    await this.#ports.look(options.signal)
    if (!status.running) return status
    const version = this.#ports.version === undefined ? status.version : Math.min(status.version, this.#ports.version)
    const inflight = { ...status.inflight }
    for (const [member, count] of Object.entries(this.#ports.inflight))
      inflight[member] = (inflight[member] ?? 0) + count
    return { ...status, version, inflight }
  }

  counts(options?: Parameters<Gateway['counts']>[0]): Promise<WorkerCounts> {
    return this.#gateway.counts(options)
  }

  onEnd(listener: () => void): () => void {
    return this.#gateway.onEnd(listener)
  }

  async stop(options: CallOptions & { readonly graceMs?: number } = {}): Promise<void> {
    await this.#ports.remove(options.signal)
    await this.#gateway.stop(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#gateway[Symbol.asyncDispose]())
  }
}
