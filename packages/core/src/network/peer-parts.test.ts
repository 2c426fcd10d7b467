import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { NetworkConfig } from '../model/index.ts'
import {
  describePeers,
  digestOfPeers,
  isPeerDescription,
  type Peers,
  partsThatDiffer,
  replacePeerPart,
  splitPeers,
} from './peer-parts.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const own = '10.0.9.0/24'
const peer = fc.record({
  node: fc.string({ minLength: 1, maxLength: 4 }),
  block: fc.constantFrom('10.0.1.0/24', '10.0.2.0/24', own),
  via: fc.constantFrom('1.1.1.1', '2.2.2.2'),
  blocks: fc.option(fc.constantFrom(['10.0.3.0/24'], ['10.0.3.0/24', '10.0.4.0/24']), { nil: undefined }),
  addresses: fc.option(fc.constantFrom(['10.0.2.7'], ['10.0.1.4', '10.0.2.7']), { nil: undefined }),
})
const peers = fc.uniqueArray(peer, { selector: ({ node }) => node, maxLength: 60 })
const sorted = (all: Peers): Peers => all.toSorted((a, b) => (a.node < b.node ? -1 : 1))
const isOther = ({ block }: Peers[number]): boolean => block !== own

it('gives a node that says what it has all that it lacks, by the parts that differ alone', () => {
  fc.assert(
    fc.property(peers, peers, (before, now) => {
      const [mine, ours] = [before.filter(isOther), splitPeers(now)]
      const held = describePeers(mine, sha256)
      expect(isPeerDescription(held)).toBe(true)
      const digestOf = (part: number): string => digestOfPeers((ours[part] ?? []).filter(isOther), sha256)
      const differing = partsThatDiffer(held, digestOf)
      let network: NetworkConfig = { pool: '10.0.0.0/8', block: own, peers: mine, domain: 'd', defaultPool: 'p' }
      for (const part of differing) network = { ...network, ...replacePeerPart(network, part, ours[part] ?? []) }
      expect(sorted(network.peers)).toEqual(sorted(now.filter(isOther)))
      expect(partsThatDiffer(describePeers(network.peers, sha256), digestOf)).toEqual([])
    }),
  )
})

it('tells a change of any one peer, and no change by order alone', () => {
  fc.assert(
    fc.property(peers, peer, (all, one) => {
      const described = describePeers(all, sha256)
      expect(describePeers(all.toReversed(), sha256)).toBe(described)
      const changed = [...all.filter(({ node }) => node !== one.node), { ...one, via: '3.3.3.3' }]
      expect(describePeers(changed, sha256)).not.toBe(described)
    }),
  )
})

it('takes from what is said of all which further blocks and addresses of others’ are the node’s own', () => {
  const network: NetworkConfig = { pool: '10.0.0.0/8', block: own, peers: [], domain: 'd', defaultPool: 'p' }
  const self = { node: 'me', block: own, via: '1.1.1.1' }
  const given = replacePeerPart(network, 0, [{ ...self, addresses: ['10.0.2.7'] }])
  expect(given).toEqual({ ...network, addresses: ['10.0.2.7'] })
  expect(replacePeerPart(given, 0, [])).toEqual(given)
  expect(replacePeerPart(given, 0, [self])).toEqual(network)
  const wider = replacePeerPart(given, 0, [{ ...self, blocks: ['10.0.3.0/24'] }])
  expect(wider).toEqual({ ...network, blocks: ['10.0.3.0/24'] })
  expect(replacePeerPart(wider, 0, [self])).toEqual(network)
})

it('knows what is no description', () => {
  for (const text of [undefined, '', 'none', describePeers([], sha256).slice(1), ['0'.repeat(768)]])
    expect(isPeerDescription(text)).toBe(false)
})
