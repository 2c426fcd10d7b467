import { hash } from 'node:crypto'
import { describePeers, type Peers, peerPartOf, splitPeers } from '@berth/core'
import { expect, it } from 'vitest'
import { PeerNotes } from './peer-notes.ts'

const peersOf = (count: number, via: string): Peers =>
  Array.from({ length: count }, (_, n) => ({ node: `sim-${n}`, block: `10.0.${n}.0/24`, via }))

function tell(notes: PeerNotes, peers: Peers): void {
  for (const [part, some] of splitPeers(peers).entries())
    notes.takePart(Buffer.from(JSON.stringify({ type: 'peer-part', part, revision: 1, peers: some })))
}

const description = (peers: Peers): string => describePeers(peers, (text) => hash('sha256', text))
const without = (peers: Peers, name: string): Peers => peers.filter(({ node }) => node !== name)

it('notes what it was told, all but its own, and nothing before', () => {
  const names = ['sim-7', 'sim-8', 'elsewhere']
  const notes = names.map((name) => new PeerNotes(name))
  for (const each of notes) expect(each.description).toBe(description([]))
  for (const via of ['1.1.1.1', '2.2.2.2'])
    for (const [index, each] of notes.entries()) {
      tell(each, peersOf(200, via))
      expect(each.description).toBe(description(without(peersOf(200, via), names[index] ?? '')))
    }
})

it('goes on with what it had, and needs all again after single changes', () => {
  const peers = peersOf(100, '1.1.1.1')
  const notes = new PeerNotes('elsewhere', description(peers))
  expect(notes.description).toBe(description(peers))
  notes.forget()
  expect(notes.description).toHaveLength(description(peers).length)
  expect(notes.description).not.toContain(description(peers).slice(0, 12))
  const [one = peers[0]] = peers
  if (one === undefined) throw new Error('there are peers')
  const part = peerPartOf(one.node)
  const some = splitPeers(peers)[part] ?? []
  notes.takePart(Buffer.from(JSON.stringify({ type: 'peer-part', part, revision: 2, peers: some })))
  expect(notes.description.slice(part * 12, part * 12 + 12)).toBe(description(peers).slice(part * 12, part * 12 + 12))
})
