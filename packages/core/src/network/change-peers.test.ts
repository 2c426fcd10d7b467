import fc from 'fast-check'
import { expect, it } from 'vitest'
import { changePeers, joinPeerChanges, type PeerChanges } from './change-peers.ts'

const nodes = ['a', 'b', 'c', 'd']
const peer = fc.record({
  node: fc.constantFrom(...nodes),
  block: fc.constantFrom('10.0.1.0/24', '10.0.2.0/24'),
  via: fc.constantFrom('1.1.1.1', '2.2.2.2'),
})
const changes: fc.Arbitrary<PeerChanges> = fc
  .tuple(fc.uniqueArray(peer, { selector: ({ node }) => node }), fc.subarray(nodes))
  .map(([put, gone]) => ({ put, gone: gone.filter((node) => put.every((each) => each.node !== node)) }))
const network = fc
  .uniqueArray(peer, { selector: ({ node }) => node })
  .map((peers) => ({ pool: '10.0.0.0/8', block: '10.0.9.0/24', peers, domain: 'berth', defaultPool: 'production' }))
const sorted = <T extends { readonly node: string }>(peers: readonly T[]): T[] =>
  peers.toSorted((a, b) => (a.node < b.node ? -1 : 1))

it('leaves what the changes say, whether they come one by one or together', () => {
  fc.assert(
    fc.property(network, changes, changes, (before, first, second) => {
      const inTurn = changePeers(changePeers(before, first), second)
      const together = changePeers(before, joinPeerChanges(first, second))
      expect(sorted(together.peers)).toEqual(sorted(inTurn.peers))
      for (const each of second.put) expect(inTurn.peers).toContainEqual(each)
      for (const node of second.gone) expect(inTurn.peers.some((each) => each.node === node)).toBe(false)
    }),
  )
})

it('does not give a node a road to itself', () => {
  const own = { node: 'a', block: '10.0.1.0/24', via: '1.1.1.1' }
  const network = { pool: '10.0.0.0/8', block: own.block, peers: [], domain: 'berth', defaultPool: 'production' }
  expect(changePeers(network, { put: [own], gone: [] }).peers).toEqual([])
})
