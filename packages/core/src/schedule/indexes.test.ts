import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countBits, forEachBit, hasBit, lowestBit, setBit, wordsFor } from './bits.ts'
import { LevelSets } from './level-sets.ts'
import { Ring } from './ring.ts'
import { RoomIndex, roomLevel } from './room-index.ts'
import { RowCounts } from './row-counts.ts'
import { StepIndex, steps } from './step-index.ts'

const length = 1200

function maskOf(positions: Iterable<number>): Int32Array {
  const mask = new Int32Array(wordsFor(length))
  for (const position of positions) setBit(mask, position)
  return mask
}

const positions = fc.uniqueArray(fc.nat(length - 1), { maxLength: 60 })

it('a set of positions is counted and gone through', () => {
  fc.assert(
    fc.property(positions, (chosen) => {
      const found: number[] = []
      forEachBit(maskOf(chosen), (position) => {
        found.push(position)
      })
      expect(found).toEqual([...chosen].sort((a, b) => a - b))
      expect(countBits(maskOf(chosen))).toBe(chosen.length)
    }),
  )
  expect([1, 2, 12, -2147483648, -1].map(lowestBit)).toEqual([0, 1, 2, 31, 0])
})

it('the step index finds the first position around the ring in the lowest or highest step', () => {
  const entry = fc.tuple(fc.nat(length - 1), fc.constantFrom(0, 1, 31, 32, 500, steps - 1))
  const query = fc.record({ start: fc.nat(length - 1), up: fc.boolean(), mask: positions, refused: positions })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 300 }), query, (entries, { start, up, mask, refused }) => {
      const index = new StepIndex()
      index.reset(length)
      const stepOf = new Map<number, number>()
      for (const [position, step] of entries) {
        index.set(position, step)
        stepOf.set(position, step)
      }
      const admits = (position: number): boolean => !refused.includes(position)
      const turn = (position: number): number => (position - start + length) % length
      const candidates = mask.filter((position) => stepOf.has(position) && admits(position))
      const [expected = -1] = candidates.sort(
        (a, b) => (up ? 1 : -1) * (stepOf.get(a)! - stepOf.get(b)!) || turn(a) - turn(b),
      )
      expect(index.find(maskOf(mask), start, up, up ? 0 : steps - 1, admits)).toBe(expected)
    }),
    { numRuns: 1000 },
  )
})

describe('the room index', () => {
  it('has a level for every amount, rising, and none is wider than an eighth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 2 }), fc.nat(1000), (amount, more) => {
        const other = Math.min(2 ** 31 - 1, amount + more)
        expect(roomLevel(other)).toBeGreaterThanOrEqual(roomLevel(amount))
        if (roomLevel(other) === roomLevel(amount) && amount >= 8) expect(other).toBeLessThan(amount * 1.125 + 1)
      }),
    )
  })

  it('keeps all that have enough, and nothing of a lower level', () => {
    const entry = fc.tuple(fc.nat(length - 1), fc.integer({ min: -10, max: 100_000 }))
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 200 }), fc.nat(120_000), (entries, wanted) => {
        const index = new RoomIndex()
        index.reset(length)
        const amounts = new Map<number, number>()
        for (const [position, amount] of entries) {
          index.set(position, amount)
          amounts.set(position, amount)
        }
        const mask = maskOf(amounts.keys())
        index.keep(mask, wanted)
        for (const [position, amount] of amounts) {
          if (wanted > 0) expect(hasBit(mask, position)).toBe(roomLevel(amount) >= roomLevel(wanted))
          if (amount >= wanted) expect(hasBit(mask, position)).toBe(true)
        }
      }),
    )
  })
})

it('counts per row, and the sets of positions with at least so many, follow every change', () => {
  const change = fc.tuple(fc.nat(40), fc.boolean())
  fc.assert(
    fc.property(fc.array(change, { maxLength: 300 }), fc.nat(300), (changes, early) => {
      const ring = new Ring()
      ring.touch()
      ring.settle(Array.from({ length: 41 }, (_, row) => `n${row}`))
      const counts = new RowCounts()
      const expected = new Map<number, number>()
      let sets: LevelSets | undefined
      for (const [step, [row, isMore]] of changes.entries()) {
        if (step === early) sets = new LevelSets(counts, ring)
        const had = expected.get(row) ?? 0
        if (!isMore && had === 0) continue
        const count = counts.add(row, isMore ? 1 : -1)
        sets?.update(ring.positionOf[row]!, count, isMore ? 1 : -1)
        expected.set(row, had + (isMore ? 1 : -1))
      }
      const all = [...expected].filter(([, count]) => count > 0)
      const found: [number, number][] = []
      counts.visit((row, count) => {
        found.push([row, count])
      })
      expect(found.sort(([a], [b]) => a - b)).toEqual(all.sort(([a], [b]) => a - b))
      expect(counts.size).toBe(all.length)
      sets ??= new LevelSets(counts, ring)
      for (let level = 1; level < 12; level++) {
        const rows = all.filter(([, count]) => count >= level).map(([row]) => ring.positionOf[row]!)
        const bits = sets.atLeast(level)
        expect(bits === undefined ? 0 : countBits(bits)).toBe(rows.length)
        expect(rows.every((position) => bits !== undefined && hasBit(bits, position))).toBe(true)
        expect(sets.isAll(level)).toBe(rows.length === 41)
      }
    }),
  )
})
