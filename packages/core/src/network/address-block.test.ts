import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AddressBlock,
  blockForNode,
  blocksOverlap,
  containsAddress,
  containsBlock,
  firstFreeAddress,
  formatAddress,
  formatBlock,
  gatewayOf,
  nodeBlockCount,
  parseAddress,
  parseBlock,
  requireDisjoint,
  tryParseAddress,
  usableCount,
} from './address-block.ts'

const anyAddress = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const anyBlock: fc.Arbitrary<AddressBlock> = fc
  .tuple(anyAddress, fc.integer({ min: 0, max: 32 }))
  .map(([value, prefix]) => ({ base: value - (value % 2 ** (32 - prefix)), prefix }))

describe('parseAddress', () => {
  it.each([
    ['0.0.0.0', 0],
    ['10.77.0.1', 172_818_433],
    ['128.0.0.0', 2 ** 31],
    ['255.255.255.255', 2 ** 32 - 1],
  ])('reads %s', (text, value) => {
    expect(parseAddress(text)).toBe(value)
    expect(formatAddress(value)).toBe(text)
  })

  it.each([
    '',
    '10.77.0',
    '10.77.0.256',
    '10.77.0.01',
    ' 10.77.0.1',
    '10.77.0.1\n',
    '1e1.0.0.0',
    'fd00::1',
    '-1.0.0.0',
  ])('refuses %j', (text) => {
    expect(tryParseAddress(text)).toBeUndefined()
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'network.invalid-address' }))
  })
})

describe('parseBlock', () => {
  it.each(['10.77.0.0/16', '0.0.0.0/0', '10.77.3.9/32', '192.168.0.0/30', '224.0.0.0/4'])('reads %s', (text) => {
    expect(formatBlock(parseBlock(text))).toBe(text)
  })

  it.each([
    '',
    '10.77.0.0',
    '10.77.0.0/',
    '10.77.0.0/33',
    '10.77.0.0/016',
    '10.77.0.0/16/1',
    '10.77.0/16',
    '/16',
    '10.77.0.0/-1',
  ])('refuses %j', (text) => {
    expect(() => parseBlock(text)).toThrow(expect.objectContaining({ code: 'network.invalid-block' }))
  })

  it('names the block that was meant when host bits are set', () => {
    expect(() => parseBlock('10.77.3.7/16')).toThrow(/the block around it is 10\.77\.0\.0\/16/)
  })

  it('gives back what was formatted', () => {
    fc.assert(
      fc.property(anyBlock, (block) => {
        expect(parseBlock(formatBlock(block))).toEqual(block)
      }),
    )
  })
})

describe('contains and overlaps', () => {
  const pool = parseBlock('10.77.0.0/16')
  it.each([
    ['10.77.0.0', true],
    ['10.77.255.255', true],
    ['10.78.0.0', false],
    ['10.76.255.255', false],
    ['nonsense', false],
  ])('%s: %s', (address, expected) => expect(containsAddress(pool, address)).toBe(expected))

  it('blocks overlap only when one contains the other', () => {
    fc.assert(
      fc.property(anyBlock, anyBlock, (a, b) => {
        const [aLast, bLast] = [a.base + 2 ** (32 - a.prefix) - 1, b.base + 2 ** (32 - b.prefix) - 1]
        expect(blocksOverlap(a, b)).toBe(a.base <= bLast && b.base <= aLast)
      }),
    )
  })

  it('requireDisjoint names two that overlap, whatever lies between them in order', () => {
    const blocks = { pool, lan: parseBlock('192.168.0.0/24'), 'node b': parseBlock('10.77.9.0/24') }
    expect(() => requireDisjoint(blocks)).toThrow(/pool \(10\.77\.0\.0\/16\) and node b \(10\.77\.9\.0\/24\)/)
    expect(() => requireDisjoint({ a: pool, b: parseBlock('10.78.0.0/16') })).not.toThrow()
  })

  it('requireDisjoint finds an overlap exactly when a pair overlaps', () => {
    fc.assert(
      fc.property(fc.array(anyBlock, { maxLength: 6 }), (blocks) => {
        const overlap = blocks.some((a, i) => blocks.some((b, j) => i < j && blocksOverlap(a, b)))
        const check = () => requireDisjoint(Object.fromEntries(blocks.map((block, i) => [`b${i}`, block])))
        if (overlap) expect(check).toThrow(expect.objectContaining({ code: 'network.block-overlap' }))
        else expect(check).not.toThrow()
      }),
    )
  })
})

describe('blockForNode', () => {
  const pool = parseBlock('10.77.0.0/16')
  it.each([
    [0, 24, '10.77.0.0/24'],
    [3, 24, '10.77.3.0/24'],
    [255, 24, '10.77.255.0/24'],
    [1, 26, '10.77.0.64/26'],
    [0, 16, '10.77.0.0/16'],
  ])('number %i of /%i is %s', (index, prefix, expected) => {
    expect(formatBlock(blockForNode(pool, index, prefix))).toBe(expected)
  })

  it.each([256, -1, 0.5, Number.NaN])('refuses number %d', (index) => {
    expect(() => blockForNode(pool, index)).toThrow(expect.objectContaining({ code: 'network.pool-exhausted' }))
  })

  it.each([15, 31, 32])('refuses blocks of /%i', (prefix) => {
    expect(() => blockForNode(pool, 0, prefix)).toThrow(expect.objectContaining({ code: 'network.invalid-block' }))
  })

  it('gives disjoint blocks of the pool, above 128.0.0.0 too', () => {
    for (const text of ['10.77.0.0/16', '192.168.0.0/20', '240.0.0.0/18']) {
      const each = parseBlock(text)
      const blocks = Array.from({ length: nodeBlockCount(each) }, (_, index) => blockForNode(each, index))
      expect(() => requireDisjoint(Object.fromEntries(blocks.map((block, i) => [`b${i}`, block])))).not.toThrow()
      expect(blocks.every((block) => containsBlock(each, block))).toBe(true)
    }
  })
})

describe('firstFreeAddress', () => {
  const block = parseBlock('10.77.3.0/29')
  const free = (used: string[], after?: string) => firstFreeAddress(block, new Set(used), after)

  it.each([
    [[], undefined, '10.77.3.2'],
    [['10.77.3.2'], undefined, '10.77.3.3'],
    [[], '10.77.3.2', '10.77.3.3'],
    [[], '10.77.3.6', '10.77.3.2'],
    [['10.77.3.2'], '10.77.3.6', '10.77.3.3'],
    [[], '10.77.9.9', '10.77.3.2'],
    [[], '10.77.3.1', '10.77.3.2'],
    [['10.77.3.3', '10.77.3.4', '10.77.3.5', '10.77.3.6'], '10.77.3.3', '10.77.3.2'],
    [['10.77.3.2', '10.77.3.3', '10.77.3.4', '10.77.3.5', '10.77.3.6'], '10.77.3.3', undefined],
  ])('used %j after %s: %s', (used, after, expected) => expect(free(used, after)).toBe(expected))

  it('takes a predicate too', () => {
    expect(firstFreeAddress(block, (address) => address < '10.77.3.5')).toBe('10.77.3.5')
  })

  it('keeps the network, the gateway and the broadcast address back', () => {
    expect(gatewayOf(block)).toBe('10.77.3.1')
    expect(usableCount(block)).toBe(5)
    expect(usableCount(parseBlock('10.77.3.0/31'))).toBe(0)
    expect(firstFreeAddress(parseBlock('10.77.3.0/31'), new Set())).toBeUndefined()
  })

  it('gives every usable address once before it gives one again', () => {
    const large = parseBlock('10.77.3.0/24')
    const given: string[] = []
    for (let i = 0; i < usableCount(large); i++) given.push(firstFreeAddress(large, new Set(), given.at(-1)) ?? 'none')
    expect(new Set(given).size).toBe(253)
    expect(firstFreeAddress(large, new Set(), given.at(-1))).toBe(given[0])
  })

  it('never gives a used or a reserved address, and none only when there is none', () => {
    const usable = ['10.77.3.2', '10.77.3.3', '10.77.3.4', '10.77.3.5', '10.77.3.6']
    fc.assert(
      fc.property(fc.subarray(usable), fc.option(fc.constantFrom(...usable), { nil: undefined }), (used, after) => {
        const address = free(used, after)
        if (address === undefined) expect(used.length).toBe(usable.length)
        else expect(usable.filter((each) => !used.includes(each))).toContain(address)
      }),
    )
  })
})
