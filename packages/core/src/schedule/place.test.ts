import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Candidate, PlacementRequest } from './filters.ts'
import { defaultCpuMilli, defaultMemoryBytes, place, take } from './place.ts'

const gibibyte = 1024 ** 3

function node(name: string, over: Partial<Candidate> = {}): Candidate {
  const candidate: Candidate = {
    name,
    online: true,
    schedulable: true,
    cpuMilli: 4000,
    memoryBytes: 16 * gibibyte,
    diskFreeBytes: 100 * gibibyte,
    cpuReservedMilli: 0,
    memoryReservedBytes: 0,
    instances: 0,
    peers: new Map(),
    usedAddresses: new Set(),
    usedHostPorts: new Set(),
    lastAddress: undefined,
    nextAddress: () => `${name}/${candidate.usedAddresses.size}`,
    ...over,
  }
  return candidate
}

const request = (over: Partial<PlacementRequest> = {}): PlacementRequest => ({
  group: 'shop/production/web',
  hostPorts: [],
  ...over,
})

function nameOf(wanted: PlacementRequest, nodes: readonly Candidate[]): string {
  const result = place(wanted, nodes)
  return result.placed ? result.placement.node : result.refusal.message
}

describe('a node is refused', () => {
  it.each<[string, PlacementRequest, Partial<Candidate>, string]>([
    ['offline', request(), { online: false }, '1 node: 1 offline'],
    ['cordoned', request(), { schedulable: false }, '1 node: 1 cordoned'],
    [
      'full of CPU',
      request({ cpuMilli: 1500 }),
      { cpuReservedMilli: 2600 },
      '1 node: 1 too little CPU (1.4 of 1.5 cores free on a)',
    ],
    [
      'overbooked',
      request({ cpuMilli: 100 }),
      { cpuReservedMilli: 9000 },
      '1 node: 1 too little CPU (0 of 0.1 cores free on a)',
    ],
    [
      'full of memory',
      request({ memoryBytes: 2 * gibibyte }),
      { memoryReservedBytes: 15 * gibibyte },
      '1 node: 1 too little memory (1024Mi of 2048Mi free on a)',
    ],
    [
      'full of files',
      request({ diskBytes: 2 * gibibyte }),
      { diskFreeBytes: 0 },
      '1 node: 1 too little disk (0Mi of 2048Mi free on a)',
    ],
    [
      'where a port is taken',
      request({ hostPorts: [80, 443] }),
      { usedHostPorts: new Set([443]) },
      '1 node: 1 port 443 taken on a',
    ],
    ['without an address', request(), { nextAddress: () => undefined }, '1 node: 1 no free address in the block of a'],
  ])('%s', (_, wanted, over, message) => {
    expect(nameOf(wanted, [node('a', over)])).toBe(message)
  })

  it('and the sentence says how many for which reason, and no more than a few', () => {
    const nodes = [node('a', { online: false }), node('b', { online: false }), node('c', { schedulable: false })]
    expect(nameOf(request(), nodes)).toBe('3 nodes: 2 offline, 1 cordoned')
    const many = Array.from({ length: 30 }, (_, n) => node(`n${n}`, { cpuMilli: n }))
    expect(nameOf(request({ cpuMilli: 1000 }), many)).toMatch(
      /^30 nodes: (1 too little CPU [^,]+, ){5}and 25 other reasons$/,
    )
    expect(nameOf(request(), [])).toBe('the cluster has no node yet: run `berth up` or `berth node join`')
  })
})

describe('of several nodes', () => {
  it.each<[string, Candidate[], string]>([
    [
      'the one with the fewest of the same entrypoint',
      [node('a', { peers: new Map([['shop/production/web', 1]]) }), node('b')],
      'b',
    ],
    ['then the one with the most CPU left', [node('a', { cpuReservedMilli: 1 }), node('b')], 'b'],
    ['then the one with the fewest instances', [node('a', { instances: 1 }), node('b')], 'b'],
    ['then the first by name, whatever their order', [node('b'), node('a')], 'a'],
  ])('%s', (_, nodes, expected) => {
    expect(nameOf(request(), nodes)).toBe(expected)
  })
})

describe('the grant', () => {
  it('is what was asked for, or the default cut to the size of the node', () => {
    const asked = place(request({ cpuMilli: 1300, memoryBytes: gibibyte }), [node('a')])
    expect(asked).toMatchObject({ placement: { cpuMilli: 1300, memoryBytes: gibibyte } })
    const small = place(request(), [node('a', { cpuMilli: 2000, memoryBytes: 4 * gibibyte })])
    expect(small).toMatchObject({ placement: { cpuMilli: 2000, memoryBytes: 4 * gibibyte } })
    const large = place(request(), [node('a', { cpuMilli: 64_000, memoryBytes: 256 * gibibyte })])
    expect(large).toMatchObject({ placement: { cpuMilli: defaultCpuMilli, memoryBytes: defaultMemoryBytes } })
  })
})

it('a batch never takes more than there is, gives no address or port twice, and spreads evenly', () => {
  const wanted = fc.record({
    group: fc.constantFrom('web', 'worker'),
    cpuMilli: fc.nat(1500),
    memoryBytes: fc.nat(4 * gibibyte),
    hostPorts: fc.subarray([80, 443], { maxLength: 1 }),
  })
  fc.assert(
    fc.property(fc.array(wanted, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (requests, count) => {
      const nodes = Array.from({ length: count }, (_, n) => node(`n${n}`))
      const addresses: string[] = []
      const ports: string[] = []
      for (const each of requests) {
        const result = place(each, nodes)
        if (!result.placed) continue
        take(each, result.placement, nodes)
        addresses.push(result.placement.address)
        for (const port of each.hostPorts) ports.push(`${result.placement.node}:${port}`)
      }
      for (const each of nodes) {
        expect(each.cpuReservedMilli).toBeLessThanOrEqual(each.cpuMilli)
        expect(each.memoryReservedBytes).toBeLessThanOrEqual(each.memoryBytes)
      }
      expect(new Set(addresses).size).toBe(addresses.length)
      expect(new Set(ports).size).toBe(ports.length)
    }),
  )
})
