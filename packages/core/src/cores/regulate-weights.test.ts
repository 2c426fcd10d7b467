import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sharesOf } from './kernel-grant.ts'
import { type FragmentUse, regulateWeights } from './regulate-weights.ts'

const use = (instance: string, promised: number, used: number, change: Partial<FragmentUse> = {}): FragmentUse => ({
  instance,
  promisedMilli: promised,
  fragmentMilli: promised % 1000,
  usedMilli: used,
  waiting: 1,
  shares: sharesOf(promised),
  ...change,
})

describe('weights', () => {
  it('stay where everybody gets what was promised', () => {
    expect(regulateWeights([use('a', 1200, 1190), use('b', 800, 790)])).toEqual({ shares: new Map(), starving: [] })
  })

  it('move from who has more to who starves', () => {
    const { shares, starving } = regulateWeights([use('a', 1200, 1000), use('b', 800, 1000, { waiting: 0 })])
    expect(starving).toEqual(['a'])
    expect(shares.get('a')).toBeGreaterThan(sharesOf(1200))
    expect(shares.get('b')).toBeLessThan(sharesOf(800))
  })

  it('stay when who has less does not want more', () => {
    const idle = use('a', 1200, 100, { waiting: 0.01 })
    expect(regulateWeights([idle, use('b', 800, 1000)])).toEqual({ shares: new Map(), starving: [] })
  })

  it('stay when all miss the same part: the machine is busy with something else', () => {
    expect(regulateWeights([use('a', 1200, 1020), use('b', 800, 690)]).starving).toEqual([])
  })

  it('leave a third alone that is content with less', () => {
    const third = use('c', 300, 20, { waiting: 0 })
    const { shares } = regulateWeights([use('a', 1200, 1350), use('b', 500, 350), third])
    expect([...shares.keys()].sort()).toEqual(['a', 'b'])
  })

  it('go back to the start when nobody waits', () => {
    let shares = 4000
    for (let step = 0; step < 200; step += 1) {
      const { shares: next } = regulateWeights([
        use('a', 1200, 300, { waiting: 0, shares }),
        use('b', 800, 0, { waiting: 0 }),
      ])
      shares = next.get('a') ?? shares
    }
    expect(shares).toBe(sharesOf(1200))
  })
})

/** A core as the kernel shares it: what an instance weighs there is its weight times the part of its load that runs there. */
interface Simulated {
  readonly whole: number
  readonly milli: number
  readonly part: number
}

const instances = fc
  .array(
    fc.record({
      whole: fc.nat(6),
      milli: fc.integer({ min: 50, max: 900 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { minLength: 2, maxLength: 5 },
  )
  .map((list) => {
    const sum = list.reduce((total, { milli }) => total + milli, 0)
    return list.map(({ whole, milli, part }): Simulated => {
      const fragment = Math.max(20, Math.floor((milli * 1000) / sum))
      // Between all of its load on the shared core alike and as the promises are.
      const [low, high] = [1 / (whole + 1), fragment / 1000 / (whole + fragment / 1000)]
      return { whole, milli: fragment, part: low + (high - low) * part }
    })
  })

function run(all: readonly Simulated[], shares: readonly number[]): number[] {
  const load = all.map(({ part }, index) => shares[index]! * part)
  const total = load.reduce((sum, each) => sum + each, 0)
  return all.map(({ whole }, index) => whole * 1000 + (load[index]! / total) * 1000)
}

const readings = (all: readonly Simulated[], shares: readonly number[]): FragmentUse[] => {
  const used = run(all, shares)
  return all.map(({ whole, milli }, index) => ({
    instance: `i${index}`,
    promisedMilli: whole * 1000 + milli,
    fragmentMilli: milli,
    usedMilli: used[index]!,
    waiting: 1,
    shares: shares[index]!,
  }))
}

describe('under contention', () => {
  it('every promise is kept within a few steps, however the kernel splits a weight', () => {
    fc.assert(
      fc.property(instances, (all) => {
        let shares = all.map(({ whole, milli }) => sharesOf(whole * 1000 + milli))
        for (let step = 0; step < 60; step += 1) {
          const { shares: next } = regulateWeights(readings(all, shares))
          shares = shares.map((before, index) => next.get(`i${index}`) ?? before)
        }
        for (const { usedMilli, promisedMilli } of readings(all, shares)) {
          expect(usedMilli / promisedMilli).toBeGreaterThan(0.95)
        }
      }),
    )
  })

  it('weights stay within bounds whatever is measured, and the order of the instances does not matter', () => {
    const reading = fc.record({
      promisedMilli: fc.integer({ min: 1, max: 64_000 }),
      usedMilli: fc.integer({ min: 0, max: 80_000 }),
      waiting: fc.double({ min: 0, max: 1, noNaN: true }),
      shares: fc.integer({ min: 2, max: 262_144 }),
    })
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 6 }), (list) => {
        const all = list.map((each, index) => ({
          ...each,
          instance: `i${index}`,
          fragmentMilli: each.promisedMilli % 1000,
        }))
        const { shares, starving } = regulateWeights(all)
        for (const [instance, next] of shares) {
          const { promisedMilli } = all.find((each) => each.instance === instance)!
          expect(Number.isInteger(next)).toBe(true)
          expect(next).toBeGreaterThanOrEqual(2)
          expect(next).toBeLessThanOrEqual(Math.min(262_144, sharesOf(promisedMilli) * 4))
        }
        const turned = regulateWeights(all.toReversed())
        expect(new Map([...turned.shares].sort())).toEqual(new Map([...shares].sort()))
        expect([...turned.starving].sort()).toEqual([...starving].sort())
      }),
    )
  })
})
