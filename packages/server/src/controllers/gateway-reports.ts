import type { State } from '../records/index.ts'

export interface GatewayReport {
  /** Version of the table that is in force in all of its workers. */
  readonly version: number
  /** Requests under way with members that are out of traffic, by `memberKey`. */
  readonly inflight: Readonly<Record<string, number>>
}

/** nginx of a node that is no gateway any more ends within 30 s. Who says for longer that it runs may not know that it has to end, and is not waited for. */
const endingMs = 45_000

export interface GatewayReportsOptions {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  /** A gateway that ends is waited for no longer. */
  readonly onGivenUp: () => void
  readonly endingMs?: number
}

/** What the gateways have said since this server began to listen. */
export class GatewayReports implements Disposable {
  readonly #options: GatewayReportsOptions
  readonly #state: State
  readonly #reports = new Map<string, GatewayReport>()
  readonly #gateways = new Set<string>()
  /** No gateways any more, and their nginx still serves what it has begun. Without a timer: not waited for any more. */
  readonly #ending = new Map<string, NodeJS.Timeout | undefined>()

  constructor(options: GatewayReportsOptions) {
    this.#options = options
    this.#state = options.state
    for (const { name } of this.#state.nodes.values()) this.nodeChanged(name)
  }

  [Symbol.dispose](): void {
    for (const timer of this.#ending.values()) clearTimeout(timer)
  }

  /** It has come, gone or got other labels. */
  nodeChanged(node: string): void {
    if (this.#labelOf(node) === 'true') this.#gateways.add(node)
    else {
      this.#gateways.delete(node)
      this.#reports.delete(node)
    }
    this.statusChanged(node)
  }

  /** It says that its nginx runs, or does not any more. */
  statusChanged(node: string): void {
    if (!this.#state.nodes.has(node) || this.#labelOf(node) === 'true' || !this.#isRunning(node)) {
      clearTimeout(this.#ending.get(node))
      this.#ending.delete(node)
    } else if (!this.#ending.has(node)) {
      const timer = setTimeout(() => this.#giveUp(node), this.#options.endingMs ?? endingMs)
      this.#ending.set(node, timer.unref())
    }
  }

  #giveUp(node: string): void {
    this.#ending.set(node, undefined)
    this.#options.onGivenUp()
  }

  #labelOf(node: string): string | undefined {
    return this.#state.nodes.get(node)?.labels.gateway
  }

  get exist(): boolean {
    return this.#gateways.size > 0
  }

  isGateway(node: string): boolean {
    return this.#gateways.has(node) || this.#ending.has(node)
  }

  versionOf(node: string): number | undefined {
    return this.#reports.get(node)?.version
  }

  take(node: string, report: GatewayReport): void {
    if (this.#gateways.has(node)) this.#reports.set(node, report)
  }

  /**
   * Also where nobody is heard of: a gateway that is cut off goes on routing by its last table, until its node is removed. One that is none any
   * more and still ends takes no table, and serves what it has begun by the last: nothing is out of its traffic before it has ended.
   */
  inForceEverywhere(version: number): boolean {
    return this.#isInForce(this.#gateways, version) && !this.#isOneEnding()
  }

  /** Those for whose word {@link inForceEverywhere} waits. */
  behind(version: number): string[] {
    const ending = [...this.#ending].filter(([node, timer]) => timer !== undefined && this.#options.isOnline(node))
    const late = [...this.#gateways].filter((node) => (this.versionOf(node) ?? -1) < version)
    return [...new Set([...late, ...ending.map(([node]) => node)])].sort()
  }

  #isOneEnding(): boolean {
    for (const [node, timer] of this.#ending) if (timer !== undefined && this.#options.isOnline(node)) return true
    return false
  }

  /** In every gateway that is there to serve, and there is one. */
  inForceOnline(version: number): boolean {
    const serving = [...this.#gateways].filter((node) => this.#options.isOnline(node) && this.#isRunning(node))
    return serving.length > 0 && this.#isInForce(serving, version)
  }

  /** Asked for every instance of a decision. */
  #isInForce(nodes: Iterable<string>, version: number): boolean {
    for (const node of nodes) if ((this.versionOf(node) ?? -1) < version) return false
    return true
  }

  inflight(member: string): number {
    return this.#reports.values().reduce((sum, { inflight }) => sum + (inflight[member] ?? 0), 0)
  }

  /** One whose nginx does not come up must not hold up what the others serve. */
  #isRunning = (node: string): boolean => this.#state.nodeStatuses.get(node)?.gateway === true
}
