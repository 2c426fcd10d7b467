import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blocksOverlap, containsBlock, parseBlock } from './address-block.ts'
import {
  type AddressPool,
  blocksInPool,
  checkAddressPool,
  chooseBlock,
  collisionWith,
  defaultAddressPool,
  type PoolSeeker,
  poolOf,
  poolsFor,
} from './address-pool.ts'

const own = defaultAddressPool('10.77.0.0/16')
const pool = (change: Partial<AddressPool>): AddressPool => ({
  ...own,
  name: 'paris',
  range: '10.80.0.0/22',
  ...change,
})
const anywhere: PoolSeeker = { site: undefined, group: 'default' }
const inParis: PoolSeeker = { site: 'paris', group: 'default' }
const nothingTaken = () => false

describe('what can be a pool', () => {
  it.each<[string, Partial<AddressPool>, string, string]>([
    ['no block', { range: '10.80.0.0' }, 'network.invalid-block', 'write address/prefix'],
    ['host bits', { range: '10.80.0.1/16' }, 'network.invalid-block', 'the block around it is 10.80.0.0/16'],
    ['the host’s own', { range: '127.8.0.0/16' }, 'address-pool.unusable', '127.0.0.0/8'],
    ['that of links', { range: '169.254.0.0/24' }, 'address-pool.unusable', '169.254.0.0/16'],
    ['everything', { range: '0.0.0.0/0' }, 'address-pool.unusable', '0.0.0.0/8'],
    ['smaller than a block', { range: '10.80.0.0/25' }, 'address-pool.too-small', 'no room for one block of /24'],
    ['blocks without instances', { blockPrefix: 30 }, 'address-pool.too-small', 'choose /16 to /29'],
    ['a broken size', { blockPrefix: 24.5 }, 'address-pool.too-small', '/24.5'],
  ])('%s is none', (_, change, code, text) => {
    expect(() => checkAddressPool(pool(change))).toThrow(expect.objectContaining({ code }))
    expect(() => checkAddressPool(pool(change))).toThrow(text)
  })

  it('is one that is as large as a block', () => {
    expect(blocksInPool(checkAddressPool(pool({ range: '10.80.0.0/26', blockPrefix: 26 })))).toBe(1)
  })

  it('collides with blocks around it, in it, and with addresses', () => {
    const taken = [
      { what: 'far', range: '10.81.0.0/16' },
      { what: 'node a', range: '10.80.3.9' },
    ]
    expect(collisionWith('10.80.0.0/22', taken)?.what).toBe('node a')
    expect(collisionWith('10.80.0.0/23', taken)).toBeUndefined()
    expect(collisionWith('10.81.7.0/24', taken)?.what).toBe('far')
    expect(collisionWith('10.0.0.0/8', taken)?.what).toBe('far')
  })
})

describe('whose pool is asked', () => {
  it('the one that says most exactly for whom it is', () => {
    const ofGroup = pool({ name: 'builders', range: '10.81.0.0/16', groups: ['build'] })
    const both = pool({ name: 'both', range: '10.82.0.0/16', sites: ['paris'], groups: ['build'] })
    const pools = [own, pool({ sites: ['paris'] }), ofGroup, both]
    const names = (seeker: PoolSeeker) => poolsFor(pools, seeker).map(({ name }) => name)
    expect(names(anywhere)).toEqual(['default'])
    expect(names(inParis)).toEqual(['paris'])
    expect(names({ site: 'rome', group: 'build' })).toEqual(['builders'])
    expect(names({ site: 'paris', group: 'build' })).toEqual(['both'])
  })

  it('another one of the site where one is full, but never one that is for everybody', () => {
    const small = pool({ sites: ['paris'], range: '10.80.0.0/24' })
    const second = pool({ name: 'paris-2', sites: ['paris'], range: '10.83.0.0/24' })
    const taken = new Set<string>()
    const take = () => {
      const { block } = chooseBlock([own, small, second], inParis, (each) => taken.has(each))
      taken.add(block)
      return block
    }
    expect([take(), take()]).toEqual(['10.80.0.0/24', '10.83.0.0/24'])
    expect(take).toThrow(expect.objectContaining({ code: 'network.pool-exhausted' }))
    expect(take).toThrow('paris (10.80.0.0/24), paris-2 (10.83.0.0/24)')
  })

  it('none that is disabled', () => {
    expect(() => chooseBlock([{ ...own, disabled: true }], anywhere, nothingTaken)).toThrow(
      expect.objectContaining({ code: 'address-pool.none' }),
    )
    const drained = pool({ sites: ['paris'], disabled: true })
    expect(chooseBlock([own, drained], inParis, nothingTaken).pool.name).toBe('default')
  })

  it('is that of a node made before there were pools', () => {
    expect(chooseBlock([own], anywhere, (block) => block === '10.77.0.0/24').block).toBe('10.77.1.0/24')
    expect(poolOf([own], '10.77.1.0/24')).toBe(own)
    expect(poolOf([own, pool({})], '10.80.1.77')?.name).toBe('paris')
    expect(poolOf([own], '10.9.0.1')).toBeUndefined()
  })
})

/** Nodes come and go, pools are added, disabled and taken away; who has a block keeps it. */
const step = fc.oneof(
  fc.record({ do: fc.constant('join' as const), site: fc.constantFrom(undefined, 'paris', 'rome') }),
  fc.record({ do: fc.constant('leave' as const), which: fc.nat() }),
  fc.record({ do: fc.constant('toggle' as const), which: fc.nat() }),
  fc.record({ do: fc.constant('drop' as const), which: fc.nat() }),
  fc.record({
    do: fc.constant('add' as const),
    second: fc.integer({ min: 80, max: 84 }),
    size: fc.integer({ min: 26, max: 29 }),
    site: fc.constantFrom(undefined, 'paris', 'rome'),
  }),
)

it('never gives two nodes an address, nor one outside of a pool that is for the node, in whatever order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let pools: AddressPool[] = [defaultAddressPool('10.77.0.0/22')]
      const nodes: { readonly block: string }[] = []
      let made = 0
      for (const each of steps) {
        const usedBy = (one: AddressPool) => nodes.some(({ block }) => poolOf([one], block) !== undefined)
        if (each.do === 'add') {
          made += 1
          const range = `10.${each.second}.0.0/26`
          if (
            collisionWith(
              range,
              pools.map(({ name, range: other }) => ({ what: name, range: other })),
            )
          )
            continue
          const sites = each.site === undefined ? [] : [each.site]
          pools.push(checkAddressPool(pool({ name: `p${made}`, range, blockPrefix: each.size, sites })))
        } else if (each.do === 'drop') pools = pools.filter((one, index) => index !== each.which || usedBy(one))
        else if (each.do === 'toggle')
          pools = pools.map((one, index) => (index === each.which ? { ...one, disabled: !one.disabled } : one))
        else if (each.do === 'leave') nodes.splice(each.which, 1)
        else {
          const seeker = { site: each.site, group: 'default' }
          const isTaken = (block: string) => nodes.some((node) => node.block === block)
          if (poolsFor(pools, seeker).every((one) => !hasRoom(one, isTaken))) {
            expect(() => chooseBlock(pools, seeker, isTaken)).toThrow()
            continue
          }
          const found = chooseBlock(pools, seeker, isTaken)
          expect(found.pool.disabled).toBe(false)
          expect(containsBlock(parseBlock(found.pool.range), parseBlock(found.block))).toBe(true)
          expect(poolsFor(pools, seeker)).toContain(found.pool)
          for (const { block } of nodes) expect(blocksOverlap(parseBlock(block), parseBlock(found.block))).toBe(false)
          nodes.push({ block: found.block })
        }
      }
      for (const { block } of nodes) expect(poolOf(pools, block)).toBeDefined()
    }),
    { numRuns: 500 },
  )
})

function hasRoom(one: AddressPool, isTaken: (block: string) => boolean): boolean {
  try {
    chooseBlock([{ ...one, sites: [], groups: [], disabled: false }], anywhere, isTaken)
    return true
  } catch {
    return false
  }
}
