import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AddressBlock, blocksOverlap, formatAddress, formatBlock, parseBlock } from './address-block.ts'
import { blocksOverlap6, containsAddress6, formatAddress6, formatBlock6, parseAddress6 } from './address6.ts'
import { checkTwinPrefix, type TwinRange, twinBlockOf, twinned, twinOf, twinRange } from './twin-address.ts'

const around = (value: number, prefix: number): AddressBlock => ({ base: value - (value % 2 ** (32 - prefix)), prefix })
const block = (min: number, max: number): fc.Arbitrary<AddressBlock> =>
  fc.tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min, max })).map(([value, prefix]) => around(value, prefix))
/** Few, so that pools have the same one as well. */
const high = fc.constantFrom(0xfd77n << 80n, 0xfd77_0001n << 64n, 0x2001_0db8_0000_0001n << 32n)
const pool: fc.Arbitrary<TwinRange> = fc.record({ range: block(8, 24), high })
/** Those of a cluster share no IPv4 address. */
const pools = fc
  .array(pool, { minLength: 1, maxLength: 4 })
  .map((all) =>
    all.filter(({ range }, index) => all.slice(0, index).every((each) => !blocksOverlap(each.range, range))),
  )

const insideOf = ({ range }: TwinRange, at: number): number => range.base + Math.floor(at * 2 ** (32 - range.prefix))
const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('the twin of an address', () => {
  it('is the prefix and the address', () => {
    const ranges = [twinRange({ range: '10.77.0.0/16', ipv6: 'fd77:1::/64' })]
    expect(twinOf(ranges, '10.77.3.5')).toBe('fd77:1::a4d:305')
    expect(twinOf(ranges, '10.78.3.5')).toBeUndefined()
    expect(twinned(ranges, 'fd77:1::10.77.3.5')).toBe('10.77.3.5')
    for (const other of ['fd77:1::10.78.3.5', 'fd77:2::10.77.3.5', 'fd77:1::1:a4d:305', 'x', '10.77.3.5'])
      expect(twinned(ranges, other)).toBeUndefined()
    const own = twinBlockOf(ranges, parseBlock('10.77.3.0/24'))
    expect(own === undefined ? undefined : formatBlock6(own)).toBe('fd77:1::a4d:300/120')
    expect(twinBlockOf(ranges, parseBlock('10.0.0.0/8'))).toBeUndefined()
  })

  it('leads back to it, and to nobody else, in whatever pools', () => {
    fc.assert(
      fc.property(pools, part, part, part, (all, which, one, other) => {
        const of = (at: number) => all[Math.floor(at * all.length)] as TwinRange
        const [a, b] = [formatAddress(insideOf(of(which), one)), formatAddress(insideOf(of(other), other))]
        const [twinA, twinB] = [twinOf(all, a), twinOf(all, b)]
        expect(twinned(all, twinA ?? '')).toBe(a)
        expect(twinned(all, twinB ?? '')).toBe(b)
        expect(twinA === twinB).toBe(a === b)
      }),
    )
  })

  it('is in the block of its node, and in no other pool', () => {
    fc.assert(
      fc.property(pools, part, part, fc.integer({ min: 24, max: 30 }), (all, which, at, prefix) => {
        const of = all[Math.floor(which * all.length)] as TwinRange
        const value = insideOf(of, at)
        const own = around(value, prefix)
        const [twin, block6] = [twinOf(all, formatAddress(value)) ?? '', twinBlockOf(all, own)]
        if (block6 === undefined) throw new Error(`no twin of ${formatBlock(own)}`)
        expect(containsAddress6(block6, parseAddress6(twin))).toBe(true)
        // What is reserved there is reserved here: the network's address, the gateway's, the broadcast's.
        expect(twinned(all, formatAddress6(block6.base + 1n))).toBe(formatAddress(own.base + 1))
        const others = all.filter((each) => each !== of).flatMap(({ range }) => twinBlockOf(all, range) ?? [])
        for (const other of others) expect(blocksOverlap6(other, block6)).toBe(false)
      }),
    )
  })
})

describe('checkTwinPrefix', () => {
  it.each([
    ['FD77:0:0:1::/64', 'fd77:0:0:1::/64'],
    ['2001:db8::/96', '2001:db8::/96'],
    ['fd00::/16', 'fd00::/16'],
  ])('takes %s', (text, canonical) => expect(checkTwinPrefix(text)).toBe(canonical))

  it.each([
    ['fd77::/97', 'choose /16 to /96'],
    ['fd00::/8', 'choose /16 to /96'],
    ['fd77::1/64', 'the block around it'],
    ['fe80::/64', 'link-local'],
    ['ff02::/64', 'multicast'],
    ['::/64', 'loopback'],
    ['::ffff:0:0/96', 'loopback'],
    ['10.0.0.0/8', 'no block of IPv6'],
  ])('refuses %s', (text, message) => expect(() => checkTwinPrefix(text)).toThrow(message))
})
