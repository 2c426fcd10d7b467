import type { Sha256 } from '../build/build-digest.ts'
import type { NetworkConfig } from '../model/index.ts'
import { hashText } from '../schedule/hash-text.ts'

export type Peers = NetworkConfig['peers']

/**
 * The peers of a large cluster travel in parts, by a hash of their names: a node says by a digest of each what it has, and is sent those
 * that differ, whatever came between: another server, a restored store, a week offline.
 */
export const peerParts = 64
const digestLength = 12
const form = new RegExp(`^[0-9a-f]{${peerParts * digestLength}}$`)

export const peerPartOf = (node: string): number => hashText(node) % peerParts

/** The same for the same peers, in whatever order. */
export function digestOfPeers(peers: Peers, sha256: Sha256): string {
  const lines = peers
    .map(({ node, block, via, blocks = [], addresses = [] }) => [node, block, via, ...blocks, ...addresses].join(' '))
    .sort()
  return sha256(lines.join('\n')).slice(0, digestLength)
}

export function splitPeers(peers: Peers): readonly Peers[] {
  const parts = Array.from({ length: peerParts }, (): Peers[number][] => [])
  for (const peer of peers) parts[peerPartOf(peer.node)]?.push(peer)
  return parts
}

/** The digests of all parts, one after the other. */
export const describePeers = (peers: Peers, sha256: Sha256): string =>
  splitPeers(peers)
    .map((part) => digestOfPeers(part, sha256))
    .join('')

/** False for what is no description, or that of another form. */
export const isPeerDescription = (text: unknown): text is string => typeof text === 'string' && form.test(text)

/** Parts of which the other side, by its description, has something else. */
export function partsThatDiffer(held: string, digestOf: (part: number) => string): number[] {
  const parts = Array.from({ length: peerParts }, (_, part) => part)
  return parts.filter((part) => held.slice(part * digestLength, (part + 1) * digestLength) !== digestOf(part))
}

/** The network of a node after all of one part. Its own block is not one that it has to reach. */
export function replacePeerPart(network: NetworkConfig, part: number, peers: Peers): NetworkConfig {
  const others = network.peers.filter(({ node }) => peerPartOf(node) !== part)
  const told = [...others, ...peers.filter(({ block }) => block !== network.block)]
  return withOwnAddresses({ ...network, peers: told }, peers)
}

/** What is said of the node itself among all: which blocks it has beside its first, and which addresses of other nodes' blocks. */
export function withOwnAddresses(network: NetworkConfig, said: Peers): NetworkConfig {
  const self = said.find(({ block }) => block === network.block)
  if (self === undefined) return network
  const { addresses: _, blocks: __, ...rest } = network
  const { blocks, addresses } = self
  return { ...rest, ...(blocks === undefined ? {} : { blocks }), ...(addresses === undefined ? {} : { addresses }) }
}
