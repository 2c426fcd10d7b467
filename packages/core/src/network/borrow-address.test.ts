import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { containsAddress, firstFreeAddress, parseBlock, usableCount } from './address-block.ts'
import { type AddressPool, blockWith, defaultAddressPool, freeBlockOf } from './address-pool.ts'
import { canLendAndBorrow, chooseLoan, type Lender } from './borrow-address.ts'
import { isOwnAddress, nextOwnAddress, ownAddressCount } from './routed-address.ts'

const lender = (name: string, block: string, over: Partial<Lender> = {}): Lender => ({
  ...{ name, blocks: [block], free: 12, isLeaving: false, ...over },
})
const nobody = (): boolean => false

describe('an address is borrowed', () => {
  it('of the node that has most left, by name where two have as many, and of one that goes last of all', () => {
    const [a, b, c] = [
      lender('a', '10.0.0.0/28', { free: 3 }),
      lender('b', '10.0.0.16/28'),
      lender('c', '10.0.0.32/28', { free: 13, isLeaving: true }),
    ]
    const of = (...lenders: Lender[]) => chooseLoan(lenders, nobody)?.lender
    expect([of(a, b, c), of(a, c), of(c), of(lender('z', '10.0.0.48/28'), b)]).toEqual(['b', 'a', 'c', 'b'])
    expect(of(lender('a', '10.0.0.0/28', { free: 0 }))).toBeUndefined()
    expect(of()).toBeUndefined()
  })

  it('behind the one that was given last, and never of the part for containers that are started by hand', () => {
    const block = '10.0.0.0/28'
    expect(chooseLoan([lender('a', block, { last: '10.0.0.7' })], nobody)?.address).toBe('10.0.0.8')
    expect(chooseLoan([lender('a', block, { last: '10.0.0.13' })], nobody)?.address).toBe('10.0.0.2')
    const used = (address: string): boolean => address !== '10.0.0.14' && address !== '10.0.0.30'
    // Of a further block neither: it may be somebody's first one day.
    expect(chooseLoan([lender('a', block, { blocks: [block, '10.0.0.16/28'] })], used)).toBeUndefined()
  })

  it('by and of nodes in routed mode only', () => {
    const range = '10.0.0.0/16'
    expect(canLendAndBorrow({ driver: 'routed', range })).toBe(true)
    expect(canLendAndBorrow({ driver: 'routed' })).toBe(false)
    expect(canLendAndBorrow({ driver: 'routed', range, wanted: 'bridge' })).toBe(false)
    expect(canLendAndBorrow({ driver: 'bridge', wanted: 'routed', range })).toBe(false)
    expect(canLendAndBorrow(undefined)).toBe(false)
  })
})

it('the block of an address', () => {
  const pool = { ...defaultAddressPool('10.90.0.0/25'), blockPrefix: 28 }
  expect(['10.90.0.0', '10.90.0.37', '10.90.0.127'].map((each) => blockWith(pool, each))).toEqual([
    '10.90.0.0/28',
    '10.90.0.32/28',
    '10.90.0.112/28',
  ])
  expect([blockWith(pool, '10.90.0.128'), blockWith(pool, 'x')]).toEqual([undefined, undefined])
})

const happening = fc.oneof(
  fc.record({ do: fc.constant('join' as const), further: fc.boolean() }),
  fc.record({ do: fc.constant('leave' as const), which: fc.nat(5) }),
  fc.record({ do: fc.constant('start' as const), which: fc.nat(5), count: fc.integer({ min: 1, max: 18 }) }),
  fc.record({ do: fc.constant('stop' as const), which: fc.nat(5), count: fc.integer({ min: 1, max: 18 }) }),
  fc.record({ do: fc.constant('hand' as const), which: fc.nat(5) }),
  fc.record({ do: fc.constant('silence' as const), which: fc.nat(5) }),
)

interface Machine {
  readonly name: string
  readonly blocks: readonly string[]
  /** Of its instances; true: borrowed. */
  readonly addresses: Map<string, boolean>
  readonly byHand: Set<string>
  isSilent: boolean
}

const pool: AddressPool = { ...defaultAddressPool('10.77.0.0/25'), blockPrefix: 28 }
const isIn = (blocks: readonly string[], address: string): boolean =>
  blocks.some((block) => containsAddress(parseBlock(block), address))

class World {
  machines: Machine[] = []

  isUsed = (address: string): boolean => this.machines.some(({ addresses }) => addresses.has(address))
  isTaken = (block: string): boolean => this.machines.some(({ blocks }) => blocks.includes(block))
  isLent = (block: string): boolean =>
    this.machines.some(({ addresses }) => [...addresses].some(([each, lent]) => lent && isIn([block], each)))

  join(name: string, count: number): void {
    const blocks: string[] = []
    for (let n = 0; n < count; n++) {
      const block = freeBlockOf(pool, (each) => this.isTaken(each) || blocks.includes(each), this.isLent)
      if (block === undefined) break
      if (this.isLent(block)) expect(this.hasBetter(blocks)).toBe(false)
      blocks.push(block)
    }
    if (blocks.length > 0)
      this.machines.push({ name, blocks, addresses: new Map(), byHand: new Set(), isSilent: false })
  }

  hasBetter(beside: readonly string[]): boolean {
    const all = Array.from({ length: 8 }, (_, index) => `10.77.0.${index * 16}/28`)
    return all.some((each) => !this.isTaken(each) && !beside.includes(each) && !this.isLent(each))
  }

  own({ blocks }: Machine): string | undefined {
    for (const [index, text] of blocks.entries()) {
      const block = parseBlock(text)
      const found = firstFreeAddress(block, this.isUsed, undefined, index === 0 ? ownAddressCount(block) : 0)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** As far as its node knows without looking at each. */
  free({ blocks, addresses }: Machine): number {
    const all = blocks.reduce((sum, each, index) => sum + usableCount(parseBlock(each), index === 0 ? 1 : 0), 0)
    const lent = this.machines.flatMap((each) =>
      [...each.addresses].filter(([address, is]) => is && isIn(blocks, address)),
    )
    return all - lent.length - [...addresses.values()].filter((isBorrowed) => !isBorrowed).length
  }

  start(machine: Machine): void {
    const own = this.own(machine)
    const lenders = this.machines.filter((each) => each !== machine && !each.isSilent)
    const loan =
      own === undefined
        ? chooseLoan(
            lenders.map((each) => lender(each.name, '', { blocks: each.blocks, free: this.free(each) })),
            this.isUsed,
          )
        : undefined
    if (own !== undefined) machine.addresses.set(own, false)
    else if (loan !== undefined) machine.addresses.set(loan.address, true)
    else
      for (const { blocks } of lenders)
        for (const block of blocks.map(parseBlock))
          expect(firstFreeAddress(block, this.isUsed, undefined, ownAddressCount(block))).toBeUndefined()
  }

  check(): void {
    const seen = new Set<string>()
    for (const { addresses, byHand, blocks } of this.machines) {
      for (const address of [...addresses.keys(), ...byHand]) {
        expect(seen.has(address)).toBe(false)
        seen.add(address)
      }
      for (const [address, isBorrowed] of addresses) {
        if (!isBorrowed) expect(isIn(blocks, address)).toBe(true)
        // Whoever has the block first, or will have: its containers by hand have none of these.
        else expect(isOwnAddress(parseBlock(blockWith(pool, address) ?? ''), address)).toBe(false)
      }
    }
  }
}

it('no address is ever of two, whoever lends, comes, goes or is silent, and none is refused while one is left', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), (events) => {
      const world = new World()
      world.join('first', 1)
      for (const [index, event] of events.entries()) {
        if (event.do === 'join') {
          world.join(`n${index}`, event.further ? 2 : 1)
          world.check()
          continue
        }
        const machine = world.machines[event.which % Math.max(1, world.machines.length)]
        if (machine === undefined) continue
        if (event.do === 'start') for (let n = 0; n < event.count; n++) world.start(machine)
        else if (event.do === 'stop')
          for (const address of [...machine.addresses.keys()].slice(-event.count)) machine.addresses.delete(address)
        else if (event.do === 'silence') machine.isSilent = !machine.isSilent
        else if (event.do === 'leave') world.machines = world.machines.filter((each) => each !== machine)
        else {
          const block = parseBlock(machine.blocks[0] ?? '')
          const isUsed = (address: string): boolean => machine.byHand.has(address) || machine.addresses.has(address)
          const address = nextOwnAddress(block, isUsed)
          if (address !== undefined) machine.byHand.add(address)
        }
        world.check()
      }
    }),
    { numRuns: 400 },
  )
})
