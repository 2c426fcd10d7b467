import type { State } from '../records/index.ts'

export interface GatewayReport {
  /** Version of the table that is in force in all of its workers. */
  readonly version: number
  /** Requests under way with members that are out of traffic, by `memberKey`. */
  readonly inflight: Readonly<Record<string, number>>
}

/** What the gateways have said since this server began to listen. */
export class GatewayReports {
  readonly #state: State
  readonly #isOnline: (node: string) => boolean
  readonly #reports = new Map<string, GatewayReport>()
  #gateways: readonly string[] = []
  /** No gateways any more, and their nginx still serves what it has begun. */
  readonly #ending = new Set<string>()

  constructor(state: State, isOnline: (node: string) => boolean) {
    this.#state = state
    this.#isOnline = isOnline
    this.nodesChanged()
  }

  /** Nodes have come, gone or got other labels. */
  nodesChanged(): void {
    const { nodes } = this.#state
    this.#gateways = [...nodes.values()].filter((node) => node.labels.gateway === 'true').map((node) => node.name)
    for (const node of this.#reports.keys()) if (nodes.get(node)?.labels.gateway !== 'true') this.#reports.delete(node)
    for (const { name } of nodes.values()) this.statusChanged(name)
    for (const node of this.#ending) this.statusChanged(node)
  }

  /** A node says that its nginx runs, or does not any more. */
  statusChanged(node: string): void {
    const labels = this.#state.nodes.get(node)?.labels
    if (labels !== undefined && labels.gateway !== 'true' && this.#isRunning(node)) this.#ending.add(node)
    else this.#ending.delete(node)
  }

  get exist(): boolean {
    return this.#gateways.length > 0
  }

  isGateway(node: string): boolean {
    return this.#gateways.includes(node) || this.#ending.has(node)
  }

  versionOf(node: string): number | undefined {
    return this.#reports.get(node)?.version
  }

  take(node: string, report: GatewayReport): void {
    if (this.#gateways.includes(node)) this.#reports.set(node, report)
  }

  /**
   * Also where nobody is heard of: a gateway that is cut off goes on routing by its last table, until its node is removed. One that is none any
   * more and still ends takes no table, and serves what it has begun by the last: nothing is out of its traffic before it has ended.
   */
  inForceEverywhere(version: number): boolean {
    return this.#gateways.every((node) => (this.versionOf(node) ?? -1) >= version) && !this.#isOneEnding()
  }

  #isOneEnding(): boolean {
    return [...this.#ending].some(this.#isOnline)
  }

  /** In every gateway that is there to serve, and there is one. */
  inForceOnline(version: number): boolean {
    const serving = this.#gateways.filter((node) => this.#isOnline(node) && this.#isRunning(node))
    return serving.length > 0 && serving.every((node) => (this.versionOf(node) ?? -1) >= version)
  }

  inflight(member: string): number {
    return this.#gateways.reduce((sum, node) => sum + (this.#reports.get(node)?.inflight[member] ?? 0), 0)
  }

  /** One whose nginx does not come up must not hold up what the others serve. */
  #isRunning = (node: string): boolean => this.#state.nodeStatuses.get(node)?.gateway === true
}
