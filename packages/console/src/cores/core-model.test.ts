import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Core,
  classOf,
  everyOther,
  numaNodes,
  paintApps,
  partsOf,
  rangesOf,
  sizeFor,
  summarize,
} from './core-model.ts'

const core = (number: number, owners: Core['owners'] = [], rest: Partial<Core> = {}): Core => ({
  core: number,
  numa: 0,
  present: true,
  state: owners.length === 0 ? 'free' : owners[0]?.milli === 1000 ? 'whole' : 'shared',
  owners,
  ...rest,
})
const owner = (instance: string, milli: number) => ({ instance, milli })

describe('the parts of a cell', () => {
  it.each<[string, Core['owners'], readonly [string | undefined, number][]]>([
    ['of a free core', [], [[undefined, 1000]]],
    ['of a whole one', [owner('a.p.w-1', 1000)], [['a.p.w-1', 1000]]],
    [
      'of a shared one',
      [owner('a.p.w-1', 300), owner('b.p.w-1', 500)],
      [
        ['a.p.w-1', 300],
        ['b.p.w-1', 500],
        [undefined, 200],
      ],
    ],
    [
      'of one that is given out twice',
      [owner('a.p.w-1', 1000), owner('b.p.w-1', 1000)],
      [
        ['a.p.w-1', 1000],
        ['b.p.w-1', 1000],
      ],
    ],
  ])('%s', (_, owners, parts) =>
    expect(partsOf(core(7, owners)).map(({ instance, milli }) => [instance, milli])).toEqual(parts),
  )

  it('have keys of their own', () => {
    const keys = [core(1, [owner('a.p.w-1', 300)]), core(11)].flatMap(partsOf).map(({ key }) => key)
    expect(new Set(keys).size).toBe(3)
  })
})

describe('the colours of apps', () => {
  it('are never alike while there are others, whatever the apps are called', () =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 14 }), (apps) => {
        expect(new Set([...paintApps(apps).values()].map(classOf)).size).toBe(apps.length)
      }),
    ))

  it('do not depend on the order in which apps are seen, and there is one for each of very many', () => {
    const apps = Array.from({ length: 60 }, (_, index) => `app-${index}`)
    expect([...paintApps(apps.toReversed())]).toEqual([...paintApps(apps)])
    expect(paintApps(apps).size).toBe(60)
  })
})

it('NUMA nodes are in order, and so are their cores', () => {
  const cores = [core(10, [], { numa: 1 }), core(2), core(0), core(1, [], { numa: 1 })]
  expect(numaNodes(cores).map(({ numa, cores: own }) => [numa, own.map((each) => each.core)])).toEqual([
    [0, [0, 2]],
    [1, [1, 10]],
  ])
})

it('a map is summed up', () => {
  const cores = [
    core(0, [owner('shop.p.w-1', 1000)], { busyMilli: 900 }),
    core(1, [owner('shop.p.w-1', 300), owner('ledger.p.w-1', 500)], { busyMilli: 300 }),
    core(2),
  ]
  expect(summarize(cores)).toEqual({
    states: { free: 1, whole: 1, shared: 1, conflict: 0 },
    busyMilli: 600,
    apps: [
      { app: 'shop', milli: 1300 },
      { app: 'ledger', milli: 500 },
    ],
  })
  expect(summarize([]).busyMilli).toBeUndefined()
})

it('every other instance of an app is told apart', () => {
  const cores = [core(0, [owner('a.p.w-1', 1000)]), core(1, [owner('a.p.w-1', 300), owner('a.p.w-2', 300)])]
  expect([...everyOther([...cores, core(2, [owner('b.p.w-1', 1000)])])]).toEqual(['a.p.w-2'])
})

it.each([
  [[], ''],
  [[3], '3'],
  [[0, 1, 2, 5, 7, 8], '0–2, 5, 7–8'],
])('%j are %s', (numbers, text) => expect(rangesOf(numbers)).toBe(text))

it.each([
  [1, 'large'],
  [64, 'medium'],
  [256, 'small'],
])('%d cores are %s', (count, size) => expect(sizeFor(count)).toBe(size))
