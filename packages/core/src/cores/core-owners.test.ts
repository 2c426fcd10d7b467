import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCoreList } from '../schedule/core-text.ts'
import { coreOwners, guaranteedMilli, isBound, unboundCpuset } from './core-owners.ts'

const owner = (instance: string, cores: string) => ({ instance, cores })

describe('who owns which core', () => {
  it('is read from all grants of a node', () => {
    const { whole, shared } = coreOwners([owner('web-2', '7:200'), owner('web-1', '2-3,7:300'), owner('db-1', '0')])
    expect([...whole]).toEqual([
      [0, 'db-1'],
      [2, 'web-1'],
      [3, 'web-1'],
    ])
    expect([...shared]).toEqual([
      [
        7,
        [
          { instance: 'web-1', milli: 300 },
          { instance: 'web-2', milli: 200 },
        ],
      ],
    ])
  })

  it('does not depend on the order of the grants, and leaves out what cannot be read', () => {
    const grants = [owner('b', '1:500'), owner('a', '1:500'), owner('c', 'seven')]
    expect(coreOwners(grants)).toEqual(coreOwners(grants.toReversed()))
    expect([...coreOwners(grants).shared.keys()]).toEqual([1])
  })
})

describe('instances without cores run', () => {
  it.each([
    ['anywhere where nobody owns any', [], ''],
    ['on the free cores', ['0', '1:300'], '2-3'],
    ['on shared ones where none is free', ['0-1', '2:300', '3:999'], '2-3'],
    ['on all where every core is somebody’s own', ['0-3'], '0-3'],
  ])('%s', (_, grants, expected) => {
    const owners = coreOwners(grants.map((cores, index) => owner(`i${index}`, cores)))
    expect(unboundCpuset([0, 1, 2, 3], owners)).toBe(expected)
  })

  it('never nowhere, and on nobody’s own core while there is another', () => {
    const grants = fc.array(fc.record({ first: fc.nat(7), last: fc.nat(7), milli: fc.integer({ min: 0, max: 999 }) }), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(grants, (list) => {
        const owned = list.map(({ first, last, milli }, index) => {
          const [low, high] = [Math.min(first, last), Math.max(first, last)]
          return owner(`i${index}`, milli > 0 ? `${low}:${milli}` : `${low}-${high}`)
        })
        const owners = coreOwners(owned)
        const cpuset = unboundCpuset([0, 1, 2, 3, 4, 5, 6, 7], owners)
        if (!isBound(owners)) {
          expect(cpuset).toBe('')
          return
        }
        const cores = parseCoreList(cpuset)
        if (!cores.ok) throw new Error(cores.message)
        expect(cores.value.length).toBeGreaterThan(0)
        if (owners.whole.size < 8) expect(cores.value.filter((core) => owners.whole.has(core))).toEqual([])
      }),
    )
  })
})

describe('a fragment guarantees', () => {
  it.each([
    [300, [300, 700], 300],
    [300, [300], 300],
    [500, [500, 500, 500], 333],
    [200, [200, 1000], 166],
  ])('%i of %j: %i', (milli, fragments, expected) => {
    expect(
      guaranteedMilli(
        milli,
        fragments.map((each, index) => ({ instance: `i${index}`, milli: each })),
      ),
    ).toBe(expected)
  })
})
