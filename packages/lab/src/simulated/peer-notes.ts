import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { digestOfPeers, type Peers, peerPartOf, peerParts } from '@berth/core'

const sha256 = (text: string): string => hash('sha256', text)
const nothing = digestOfPeers([], sha256)
const unknown = 'f'.repeat(nothing.length)

/** Digests of lines that all nodes get: each is read once, not by thousands. */
const known = new Map<string, string>()
const mostKnown = 1_000

/** What a simulated node keeps of its peers: digests of the parts, by which servers tell what it lacks. */
export class PeerNotes {
  readonly #own: string
  #digests: string[]

  constructor(node: string, description = nothing.repeat(peerParts)) {
    this.#own = node
    this.#digests = description.match(new RegExp(`.{${nothing.length}}`, 'g')) ?? []
  }

  get description(): string {
    return this.#digests.join('')
  }

  /** A line of the type `peer-part`. */
  takePart(line: Buffer): void {
    const start = line.toString('latin1', 0, line.indexOf('"peers"'))
    const part = Number(/"part":(\d+)/.exec(start)?.[1])
    this.#digests[part] =
      part === peerPartOf(this.#own)
        ? this.#digestOf(line)
        : this.#shared(`${start}${line.length} ${crc32(line)}`, line)
  }

  /** Single ones have changed. They are not kept, so all have to be told again. */
  forget(): void {
    this.#digests = this.#digests.map(() => unknown)
  }

  #shared(key: string, line: Buffer): string {
    const found = known.get(key)
    if (found !== undefined) return found
    const digest = this.#digestOf(line)
    if (known.size >= mostKnown) known.clear()
    known.set(key, digest)
    return digest
  }

  #digestOf(line: Buffer): string {
    const { peers } = JSON.parse(line.toString()) as { readonly peers: Peers }
    const others = peers.filter(({ node }) => node !== this.#own)
    return digestOfPeers(others, sha256)
  }
}
