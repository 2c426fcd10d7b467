import { type Assignment, BerthError, bridgeOf, flatBridgePrefix, lanOf, nodeLinkNetwork } from '@berth/core'
import type { Engine, EngineNetwork } from '../engine/engine.ts'
import type { InstanceKeeper } from '../instance/instance-keepers.ts'
import type { CallOptions } from './node-network.ts'

/** A status must not grow with what others do with Docker. */
const maxTold = 64
const notTold: ReadonlySet<string> = new Set(['berth', 'host', 'none'])

export interface OtherNetworksOptions {
  readonly engine: Pick<Engine, 'listNetworks'>
  /** True: none is to be placed in it, although Docker has it. */
  readonly isBlocked?: (name: string) => boolean
  /** Links of bridges as they were last known, before Docker has been asked. */
  readonly remembered: readonly string[]
  /** What {@link OtherNetworks.bridges} gives has changed. */
  readonly onBridges: (bridges: readonly string[]) => Promise<void>
  /** Called when what there is has changed. */
  readonly onChange: () => void
}

/** The Docker networks of the node beside the cluster's, and the bridges of which instances are in. */
export class OtherNetworks implements InstanceKeeper {
  readonly #options: OtherNetworksOptions
  #known: ReadonlyMap<string, EngineNetwork> | undefined
  /** Undefined: not told yet. */
  #used: readonly string[] | undefined
  #bridges: readonly string[]
  #tail: Promise<void> = Promise.resolve()

  constructor(options: OtherNetworksOptions) {
    this.#options = options
    this.#bridges = options.remembered
  }

  /** Undefined: Docker has not been asked yet. */
  get names(): readonly string[] | undefined {
    if (this.#known === undefined) return undefined
    const { isBlocked = () => false } = this.#options
    return [...this.#known.keys()].filter((name) => !notTold.has(name) && !isBlocked(name)).slice(0, maxTold)
  }

  /** Links of the host from which instances ask for names and reach the cluster's network. */
  get bridges(): readonly string[] {
    return this.#bridges
  }

  async refresh({ signal }: CallOptions = {}): Promise<void> {
    const before = JSON.stringify(this.names)
    const found = await this.#options.engine.listNetworks({ signal })
    this.#known = new Map(
      found.map((each): [string, EngineNetwork] => [each.name, each]).sort(([a], [b]) => (a < b ? -1 : 1)),
    )
    await this.#settle()
    if (JSON.stringify(this.names) !== before) this.#options.onChange()
  }

  setInstances(assignments: readonly Assignment[]): void {
    const used = assignments.flatMap(({ network }) => bridgeOf(network) ?? [])
    this.#used = [...new Set(used)].sort()
    void this.#settle().catch(() => undefined)
  }

  /** Resolves when rules let it ask for names. Throws `instance.network-missing`, `instance.network-not-bridge`. */
  async ready({ instance, network }: Assignment): Promise<void> {
    const lan = lanOf(network)
    if (lan !== undefined) {
      const needed = [lan, nodeLinkNetwork]
      const missing = (): string | undefined => needed.find((each) => this.names?.includes(each) !== true)
      if (missing() !== undefined) await this.refresh()
      const without = missing()
      if (without !== undefined) throw lanMissing(instance, without)
    }
    const name = bridgeOf(network)
    if (name === undefined) return
    if (this.#known?.has(name) !== true) await this.refresh()
    const found = this.#known?.get(name)
    if (found === undefined) throw networkMissing(instance, name)
    if (found.bridge?.startsWith(flatBridgePrefix) === true) throw isFlat(instance, name)
    if (found.bridge === undefined) throw notBridge(instance, found)
    await this.#settle()
  }

  /** Resolves when what was wanted at its call is in force. */
  #settle(): Promise<void> {
    const turn = this.#tail.then(() => this.#put())
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  async #put(): Promise<void> {
    const [known, used] = [this.#known, this.#used]
    if (known === undefined || used === undefined) return
    // A flat one is the machine's way out: what comes by it is not the node's own.
    const bridges = used.flatMap((name) => {
      const bridge = known.get(name)?.bridge
      return bridge === undefined || bridge.startsWith(flatBridgePrefix) ? [] : [bridge]
    })
    if (JSON.stringify(bridges) === JSON.stringify(this.#bridges)) return
    this.#bridges = bridges
    await this.#options.onBridges(bridges)
  }
}

export const networkMissing = (instance: string, name: string): BerthError =>
  new BerthError(
    'instance.network-missing',
    `start ${instance}: this node has no Docker network ${name}; ${name === 'bridge' ? 'its Docker runs without a bridge of its own (--bridge none): name another one' : `make it (docker network create ${name})`}, or let the instance be placed elsewhere (berth restart)`,
    { retryable: true },
  )

const lanMissing = (instance: string, name: string): BerthError =>
  new BerthError(
    'instance.network-missing',
    name === nodeLinkNetwork
      ? `start ${instance}: this node has no links of its own to containers in networks of the machines’ own, since it is not in routed mode (berth up --network routed), or they are being made`
      : `start ${instance}: this node has no network ${name} of the machines’ own, or cannot use it; why: berth net inspect ${name}`,
    { retryable: true },
  )

const isFlat = (instance: string, name: string): BerthError =>
  new BerthError(
    'instance.network-not-bridge',
    `start ${instance}: ${name} is a flat network, in which everybody of the machine's own network is: write \`network: lan:${name}\`, or \`networks: [${name}]\` for an instance to be in it as well`,
  )

const notBridge = (instance: string, { name, driver }: EngineNetwork): BerthError =>
  new BerthError(
    'instance.network-not-bridge',
    `start ${instance}: the Docker network ${name} of this node is of driver ${driver}, and \`network: bridge:${name}\` means a bridge`,
  )
