import { changePeers, type NetworkConfig, type PeerChanges, type Peers, replacePeerPart } from '@berth/core'

type Change = { readonly part: number; readonly peers: Peers } | PeerChanges

/** A network whose peers a server tells in parts: it is whole once all that were announced have come. */
export class PeerCopy {
  readonly #awaited: Set<number>
  #network: NetworkConfig

  constructor(network: NetworkConfig, parts: readonly number[] = []) {
    this.#network = network
    this.#awaited = new Set(parts)
  }

  get network(): NetworkConfig {
    return this.#network
  }

  get isWhole(): boolean {
    return this.#awaited.size === 0
  }

  take(change: Change): void {
    if (!('part' in change)) {
      this.#network = changePeers(this.#network, change)
      return
    }
    this.#network = replacePeerPart(this.#network, change.part, change.peers)
    this.#awaited.delete(change.part)
  }
}
