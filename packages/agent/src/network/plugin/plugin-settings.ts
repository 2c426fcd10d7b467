import { readFile } from 'node:fs/promises'
import {
  type AddressBlock,
  BerthError,
  gatewayOf,
  isNodeLinkAddress,
  messageOf,
  nodeLinkRange,
  parseBlock,
  routedGateway,
  type TwinRange,
  twinOf,
  twinRange,
} from '@berth/core'
import type { Logger } from 'pino'
import { decodeNetdState, type LocalInstance, netdStatePath, type RoutedSettings } from '../../dns/netd-state.ts'
import type { MakeSettings } from './endpoints.ts'

/** What the plugin is told by the agent, read at each call: nothing that an answer depends on is remembered from before. */
export class PluginSettings {
  readonly #stateDir: string
  readonly #log: Logger
  /** For the case that a file is damaged later. */
  readonly #lastGood: { routed?: RoutedSettings; instances?: readonly LocalInstance[] } = {}

  constructor(stateDir: string, log: Logger) {
    this.#stateDir = stateDir
    this.#log = log
  }

  /** Throws `plugin.not-configured`. */
  async routed(): Promise<RoutedPlan> {
    const settings = await this.#read('routed')
    if (settings !== undefined) return new RoutedPlan(settings)
    throw new BerthError(
      'plugin.not-configured',
      'this node has no routed network: the agent has not said which addresses are its own (berth up --network routed)',
      { retryable: true },
    )
  }

  /** Of what the node itself sends to its containers; undefined while that is not known. */
  async sources(): Promise<{ readonly source: string | undefined; readonly source6?: string | undefined }> {
    const settings = await this.#read('routed')
    if (settings === undefined) return { source: undefined }
    const { source, source6 } = new RoutedPlan(settings)
    return { source, source6 }
  }

  /** Whether an instance of this node has the address; undefined while that is not known. */
  async isOfInstance(address: string): Promise<boolean | undefined> {
    return (await this.#read('instances'))?.some((each) => each.address === address)
  }

  async instanceAddresses(): Promise<ReadonlySet<string>> {
    return new Set((await this.#read('instances'))?.map((each) => each.address))
  }

  async #read<File extends 'routed' | 'instances'>(file: File) {
    const path = netdStatePath(this.#stateDir, file)
    try {
      this.#lastGood[file] = decodeNetdState<File>(file, await readFile(path, 'utf8')) as never
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (isMissing) delete this.#lastGood[file]
      else this.#log.error({ file: path, error: messageOf(error) }, 'kept the last good settings of the plugin')
    }
    return this.#lastGood[file]
  }
}

/** The node's block in the forms in which it is asked for. */
export class RoutedPlan {
  readonly mtu: number
  readonly blockText: string
  readonly block: AddressBlock
  readonly source: string
  /** Its twin of IPv6. */
  readonly source6: string | undefined
  readonly #twins: readonly TwinRange[]
  /** What Docker may know as the network's subnet: the pool's range, or the block, as a version before has made it. The first one is for networks that are made now. And that of links to the node alone. */
  readonly subnets: readonly string[]

  constructor({ block, range = block, mtu, twins = [] }: RoutedSettings) {
    this.mtu = mtu
    this.blockText = block
    this.block = parseBlock(block)
    this.source = gatewayOf(this.block)
    this.subnets = [range, block, nodeLinkRange]
    this.#twins = twins.map(twinRange)
    this.source6 = this.twinOf(this.source)
  }

  /** What a link is made with. Of one to its node alone, both ends know each other's link-local address and nothing more. */
  linkSettings(address: string): MakeSettings {
    const { mtu, source, source6 } = this
    if (isNodeLinkAddress(address)) return { mtu, source: routedGateway, twinOf: () => undefined }
    return { mtu, source, source6, twinOf: (each) => this.twinOf(each) }
  }

  /** The address of IPv6 that comes with one of IPv4; undefined: its pool has none. */
  twinOf(address: string): string | undefined {
    return twinOf(this.#twins, address)
  }
}

/** Of Docker's address pool; it says all that there is to know of it. */
export const dockerPoolId = (subnet: string): string => `berth:${subnet}`
