import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  containsAddress,
  firstFreeAddress,
  formatAddress,
  gatewayOf,
  parseBlock,
  usableCount,
} from './address-block.ts'
import {
  addressOfRoutedLink,
  isOwnAddress,
  macOf,
  nextOwnAddress,
  ownAddressCount,
  ownAddresses,
  routedLinkOf,
  routedPeerOf,
} from './routed-address.ts'

const anyAddress = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(formatAddress)
const anyNodeBlock = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 20, max: 30 }))
  .map(([value, prefix]) => ({ base: value - (value % 2 ** (32 - prefix)), prefix }))

describe('names and MACs made from addresses', () => {
  it('are as written down', () => {
    expect(routedLinkOf('10.77.1.11')).toBe('berth-0a4d010b')
    expect(routedPeerOf('10.77.1.11')).toBe('berthc0a4d010b')
    expect(macOf('10.77.1.11')).toBe('be:00:0a:4d:01:0b')
    expect(macOf('255.0.1.255')).toBe('be:00:ff:00:01:ff')
  })

  it('lead back to the address, and fit into what the kernel takes for a name', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        expect(addressOfRoutedLink(routedLinkOf(address))).toBe(address)
        expect(routedLinkOf(address).length).toBeLessThanOrEqual(15)
        expect(routedPeerOf(address).length).toBeLessThanOrEqual(15)
        expect(macOf(address)).toMatch(/^be:00(:[0-9a-f]{2}){4}$/)
      }),
    )
  })

  it.each(['berth0', 'berth-', 'berth-0a4d010', 'berth-0a4d010b1', 'berth-0A4D010B', 'berthc0a4d010b', 'eth0'])(
    '%s is no link of a routed container',
    (link) => expect(addressOfRoutedLink(link)).toBeUndefined(),
  )

  it('are not made from what is no address', () => {
    expect(() => routedLinkOf('10.77.1')).toThrow(expect.objectContaining({ code: 'network.invalid-address' }))
  })
})

describe("the node's own part of its block", () => {
  it.each([
    ['10.77.3.0/24', { first: '10.77.3.239', last: '10.77.3.254' }],
    ['10.77.3.64/26', { first: '10.77.3.123', last: '10.77.3.126' }],
    ['10.77.3.16/28', { first: '10.77.3.30', last: '10.77.3.30' }],
    ['10.77.3.8/29', undefined],
  ])('of %s is %j', (text, range) => expect(ownAddresses(parseBlock(text))).toEqual(range))

  it('is never given to an instance, and nothing of the instances to the node', () => {
    fc.assert(
      fc.property(anyNodeBlock, anyAddress, fc.float({ min: 0, max: 1, noNaN: true }), (block, after, share) => {
        const kept = ownAddressCount(block)
        const isUsed = (address: string) => (Number(address.split('.')[3]) % 10) / 10 < share
        const forInstance = firstFreeAddress(block, isUsed, after, kept)
        if (forInstance !== undefined) expect(isOwnAddress(block, forInstance)).toBe(false)
        const own = nextOwnAddress(block, isUsed, after)
        if (own === undefined) return
        expect(isOwnAddress(block, own)).toBe(true)
        expect(containsAddress(block, own)).toBe(true)
        expect(isUsed(own)).toBe(false)
        expect(own).not.toBe(gatewayOf(block))
      }),
    )
  })

  it('and the part of the instances are together all that can be used', () => {
    fc.assert(
      fc.property(anyNodeBlock, (block) => {
        expect(usableCount(block, ownAddressCount(block)) + ownAddressCount(block)).toBe(usableCount(block))
      }),
    )
  })

  it('is gone round from the address given last, until none is left', () => {
    const block = parseBlock('10.77.3.0/24')
    const given: string[] = []
    for (;;) {
      const next = nextOwnAddress(block, (address) => given.includes(address), given.at(-1) ?? '10.77.3.250')
      if (next === undefined) break
      given.push(next)
    }
    expect(given[0]).toBe('10.77.3.251')
    expect(given[4]).toBe('10.77.3.239')
    expect(new Set(given).size).toBe(16)
  })
})
