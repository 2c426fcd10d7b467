import type { NetworkConfig } from '../model/index.ts'
import { withOwnAddresses } from './peer-parts.ts'

export interface PeerChanges {
  readonly put: NetworkConfig['peers']
  /** Nodes that have left. */
  readonly gone: readonly string[]
}

/** The network of a node after nodes have come, changed or left. Its own block is not one that it has to reach. */
export function changePeers(network: NetworkConfig, { put, gone }: PeerChanges): NetworkConfig {
  const peers = new Map(network.peers.map((peer) => [peer.node, peer]))
  for (const node of gone) peers.delete(node)
  for (const peer of put) if (peer.block !== network.block) peers.set(peer.node, peer)
  return withOwnAddresses({ ...network, peers: [...peers.values()] }, put)
}

/** One after the other, as one: the later word about a node counts. */
export function joinPeerChanges(first: PeerChanges, second: PeerChanges): PeerChanges {
  const changed = new Set([...second.gone, ...second.put.map(({ node }) => node)])
  return {
    put: [...first.put.filter(({ node }) => !changed.has(node)), ...second.put],
    gone: [...first.gone.filter((node) => !changed.has(node)), ...second.gone],
  }
}
