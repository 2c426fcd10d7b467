import {
  type Assignment,
  lanOf,
  macOf,
  messageOf,
  type NodeLan,
  nodeLinkNetwork,
  routedGateway,
  routedLinkOf,
} from '@berth/core'
import type { Logger } from 'pino'
import type { ContainerView } from '../../engine/engine.ts'
import type { InstanceKeeper } from '../../instance/instance-keepers.ts'
import { readRoutesOf } from '../host-state.ts'
import { routedProtocol } from '../route-protocol.ts'
import type { Exec } from '../run-command.ts'

export interface LanLinksOptions {
  readonly exec: Exec
  readonly log: Logger
  readonly lans: () => readonly NodeLan[]
}

/** Addresses of a container: in its network, and of its link to the node. */
interface Ends {
  readonly address: string
  readonly link: string
}

/**
 * The kernel keeps a node from its own containers in a macvlan: the node reaches them by the link that each has to it. Here is how it learns which
 * one, by a route to the address that everybody else knows; it goes with the link. In a flat network the node is one of the neighbours.
 */
export class LanLinks implements InstanceKeeper {
  readonly #options: LanLinksOptions
  readonly #ends = new Map<string, Ends>()
  #tail: Promise<void> = Promise.resolve()

  constructor(options: LanLinksOptions) {
    this.#options = options
  }

  joined({ instance, network }: Assignment, networks: ContainerView['networks']): void {
    const name = lanOf(network)
    const lan = this.#options.lans().find((each) => each.name === name)
    const addressIn = (of: string): string | undefined => networks.find((each) => each.name === of)?.address
    const [address, link] = [name === undefined ? undefined : addressIn(name), addressIn(nodeLinkNetwork)]
    const before = this.#ends.get(instance)
    if (lan?.mode !== 'macvlan' || address === undefined || link === undefined) this.#ends.delete(instance)
    else if (before?.address !== address || before.link !== link) {
      this.#ends.set(instance, { address, link })
      void this.keep()
    }
  }

  forget(instance: string): void {
    this.#ends.delete(instance)
  }

  /** Makes what somebody has taken away. Never throws: it is tried again. */
  keep(): Promise<void> {
    this.#tail = this.#tail.then(() =>
      this.#keep().catch((error: unknown) =>
        this.#options.log.warn({ reason: messageOf(error) }, 'containers of a macvlan are not reached from their node'),
      ),
    )
    return this.#tail
  }

  async #keep(): Promise<void> {
    if (this.#ends.size === 0) return
    const { exec } = this.#options
    const routes = await readRoutesOf(exec, routedProtocol)
    const missing = [...this.#ends.values()].filter(
      ({ address, link }) => !routes.some(({ dst, dev }) => dst === address && dev === routedLinkOf(link)),
    )
    if (missing.length === 0) return
    const input = missing.flatMap(linkRoute).map((line) => `${line}\n`)
    // A container that has ended meanwhile has no link: the others' routes are made all the same.
    const { code, stderr } = await exec('ip', ['-force', '-batch', '-'], { input: input.join('') })
    if (code !== 0)
      this.#options.log.info({ said: stderr.trim().slice(0, 300) }, 'a container left as its route was made')
  }
}

/** For `ip -batch`. */
export const linkRoute = ({ address, link }: Ends): readonly string[] => {
  const device = routedLinkOf(link)
  return [
    `route replace ${address}/32 dev ${device} scope link src ${routedGateway} proto ${routedProtocol}`,
    `neigh replace ${address} lladdr ${macOf(link)} dev ${device} nud permanent`,
  ]
}
