import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blocksOverlap, containsBlock, parseBlock } from './address-block.ts'
import { checkLan, defaultSlicePrefix, type Lan, type LanFacts, nodeLanOf, settleSlices, sliceCount } from './lan.ts'

const facts: LanFacts = {
  ...{ name: 'lan', mode: 'macvlan', parent: 'eth1', subnet: '192.168.7.0/24', gateway: '192.168.7.1' },
  ...{ range: '192.168.7.128/25', slicePrefix: 28, groups: [] },
}
const node = (name: string, change: Partial<Parameters<typeof settleSlices>[1][number]> = {}) => ({
  ...{ name, labels: {}, group: 'default', holds: false },
  ...change,
})

describe('a network of the machines’ own', () => {
  it('is refused where it does not hold together', () => {
    expect(checkLan(facts)).toBe(facts)
    expect(checkLan({ ...facts, vlan: 120 })).toMatchObject({ vlan: 120 })
    const refused = (change: Partial<LanFacts>, message: string | RegExp) =>
      expect(() => checkLan({ ...facts, ...change })).toThrow(message)
    refused({ name: 'Lan' }, '"lan" would do')
    refused({ name: 'access' }, 'call access something behind berth, such as lan-access')
    refused({ name: 'host' }, '"host" is no name of another Docker network')
    refused({ parent: 'eth1; reboot' }, 'is no name of an interface')
    refused({ parent: 'berth0' }, 'made by Docker or Berth')
    refused({ parent: 'lo' }, 'leads nowhere')
    refused({ mode: 'flat', parent: 'enp130s0f0np0' }, 'flat- and ten characters at most')
    expect(checkLan({ ...facts, mode: 'flat', parent: 'enp130s0f0' })).toMatchObject({ mode: 'flat' })
    refused({ vlan: 4095 }, '1 to 4094')
    refused({ parent: 'enp130s0f0np0', vlan: 1200 }, 'enp130s0f0np0.1200 is too long')
    refused({ subnet: '192.168.7.1/24' }, 'the block around it is 192.168.7.0/24')
    refused({ subnet: '127.0.0.0/24' }, '127.0.0.0/8')
    refused({ range: '192.168.8.0/25' }, 'the range 192.168.8.0/25 is not part of 192.168.7.0/24')
    for (const gateway of ['192.168.8.1', '192.168.7.0', '192.168.7.255'])
      refused({ gateway }, `the gateway ${gateway} is no address of 192.168.7.0/24`)
    refused({ gateway: 'router' }, 'is no IPv4 address')
    for (const slicePrefix of [24, 31, 28.5]) refused({ slicePrefix }, 'choose /25 to /30')
  })

  it('has room for sixteen nodes, unless said otherwise', () => {
    expect(defaultSlicePrefix('10.0.0.0/16')).toBe(20)
    expect(defaultSlicePrefix('192.168.7.128/28')).toBe(30)
    expect(sliceCount(facts)).toBe(8)
  })

  it('is for nodes that bear its label and are of its groups; what others have they keep until they let go of it', () => {
    const lan: Lan = { ...facts, label: { name: 'rack', value: 'r7' }, groups: ['front'], slices: {} }
    const a = node('a', { labels: { rack: 'r7' }, group: 'front' })
    const first = settleSlices(lan, [node('c', { group: 'front' }), a, node('b', { labels: { rack: 'r7' } })])
    expect(first.slices).toEqual({ a: '192.168.7.128/28' })
    expect(nodeLanOf(first, 'a')).toEqual({
      ...{ name: 'lan', mode: 'macvlan', parent: 'eth1', subnet: '192.168.7.0/24', gateway: '192.168.7.1' },
      ...{ range: '192.168.7.128/25', slice: '192.168.7.128/28' },
    })
    expect(nodeLanOf(first, 'constructor')).toBeUndefined()
    expect(settleSlices(first, [node('a', { holds: true })]).slices).toEqual(first.slices)
    const freed = settleSlices(first, [node('a')])
    expect(freed).toMatchObject({ slices: {}, lastSlice: '192.168.7.128/28' })
    expect(settleSlices(freed, [a]).slices).toEqual({ a: '192.168.7.144/28' })
  })

  it('never gives an address to two nodes, nor another slice to a node that has one', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'constructor', '7', '12')
    const someNode = fc.record({
      ...{ name, labels: fc.constantFrom({}, { rack: 'r7' }), group: fc.constantFrom('default', 'front') },
      holds: fc.boolean(),
    })
    const looks = fc.array(fc.uniqueArray(someNode, { selector: (each) => each.name }), { maxLength: 12 })
    const rules = fc.record(
      { label: fc.constant({ name: 'rack', value: 'r7' }), groups: fc.constantFrom([], ['front']) },
      { requiredKeys: ['groups'] },
    )
    fc.assert(
      fc.property(looks, rules, fc.integer({ min: 25, max: 30 }), (all, rule, slicePrefix) => {
        let lan: Lan = { ...facts, ...rule, slicePrefix, slices: {} }
        for (const nodes of all) {
          const before = lan
          lan = settleSlices(before, nodes)
          expect(settleSlices(lan, nodes)).toEqual(lan)
          const slices = Object.values(lan.slices).map(parseBlock)
          for (const [index, slice] of slices.entries()) {
            expect(containsBlock(parseBlock(facts.range), slice)).toBe(true)
            for (const other of slices.slice(index + 1)) expect(blocksOverlap(slice, other)).toBe(false)
          }
          for (const each of nodes) {
            const isMember =
              (rule.label === undefined || 'rack' in each.labels) &&
              (rule.groups.length === 0 || each.group === 'front')
            const had = Object.hasOwn(before.slices, each.name) ? before.slices[each.name] : undefined
            const has = Object.hasOwn(lan.slices, each.name) ? lan.slices[each.name] : undefined
            if (had !== undefined) expect(has).toBe(isMember || each.holds ? had : undefined)
            else if (isMember) expect(has !== undefined || slices.length === sliceCount(lan)).toBe(true)
            else expect(has).toBeUndefined()
          }
          expect(Object.keys(lan.slices).every((each) => nodes.some((known) => known.name === each))).toBe(true)
        }
      }),
    )
  })
})
