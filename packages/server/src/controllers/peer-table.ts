import { hash } from 'node:crypto'
import { blocksOf, digestOfPeers, type Node, type Peers, partsThatDiffer, peerPartOf, peerParts } from '@berth/core'
import type { FeedLine } from '../agents/node-feed.ts'

const sha256 = (text: string): string => hash('sha256', text)

interface Part {
  readonly peers: Map<string, Peers[number]>
  /** Made when they are asked for. */
  digest?: string | undefined
  line?: FeedLine | undefined
}

/** How all nodes are reached, in parts; each is described and written out once for all who lack it. */
export class PeerTable {
  readonly #parts: readonly Part[] = Array.from({ length: peerParts }, () => ({ peers: new Map() }))

  /** `addresses`: of other nodes' blocks. */
  set(record: Node, addresses: readonly string[]): void {
    const { name: node, block, address: via } = record
    const blocks = blocksOf(record).slice(1)
    const more = { ...(blocks.length === 0 ? {} : { blocks }), ...(addresses.length === 0 ? {} : { addresses }) }
    this.#changed(node).peers.set(node, { node, block, via, ...more })
  }

  delete(node: string): void {
    this.#changed(node).peers.delete(node)
  }

  get(node: string): Peers[number] | undefined {
    return this.#part(peerPartOf(node)).peers.get(node)
  }

  has(node: string): boolean {
    return this.get(node) !== undefined
  }

  /** All but its own. */
  of(node: string): Peers {
    return this.#parts.flatMap(({ peers }) => [...peers.values()]).filter((peer) => peer.node !== node)
  }

  /** Parts of which a node has something else, by its word. */
  lackedBy(node: string, held: string): number[] {
    const own = peerPartOf(node)
    return partsThatDiffer(held, (part) => (part === own ? this.#digestFor(node, part) : this.#digest(part)))
  }

  /** The same line until the part changes. */
  line(number: number, revision: number): FeedLine {
    const part = this.#part(number)
    part.line ??= { type: 'peer-part', part: number, revision, peers: [...part.peers.values()] }
    return part.line
  }

  #digest(number: number): string {
    const part = this.#part(number)
    part.digest ??= digestOfPeers([...part.peers.values()], sha256)
    return part.digest
  }

  /** A node's own is not among its peers. */
  #digestFor(node: string, number: number): string {
    const others = [...this.#part(number).peers.values()].filter((peer) => peer.node !== node)
    return digestOfPeers(others, sha256)
  }

  #changed(node: string): Part {
    const part = this.#part(peerPartOf(node))
    part.digest = undefined
    part.line = undefined
    return part
  }

  #part(number: number): Part {
    const part = this.#parts[number]
    if (part === undefined) throw new RangeError(`there is no part ${number} of the peers`)
    return part
  }
}
