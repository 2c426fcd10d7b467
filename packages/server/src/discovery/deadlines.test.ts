import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines, type Due } from './deadlines.ts'

describe('deadlines', () => {
  it('are never early, a tenth of a second late at most, and forgotten when given up', () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 2_000 }),
      passMs: fc.integer({ min: 0, max: 400 }),
      giveUp: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000 }), fc.array(step, { maxLength: 30 }), (start, steps) => {
        let now = start
        const open = new Map<Due, { dueMs: number }>()
        using deadlines = new Deadlines<Due>(
          (item) => {
            const found = open.get(item)
            expect(found, 'called twice, or given up').toBeDefined()
            expect(now).toBeGreaterThanOrEqual(found?.dueMs ?? 0)
            open.delete(item)
          },
          () => now,
        )
        const expectNoneLate = (): void => {
          for (const { dueMs } of open.values()) expect(now - dueMs).toBeLessThan(100)
        }
        for (const { afterMs, passMs, giveUp } of steps) {
          const item = { dueTick: 0, dueAt: 0 }
          open.set(item, { dueMs: now + afterMs })
          deadlines.add(item, afterMs)
          // Somebody, not always the one that came last.
          const [other = item] = open.keys()
          if (giveUp) {
            deadlines.delete(other)
            deadlines.delete(other)
            open.delete(other)
          }
          now += passMs
          deadlines.look()
          expectNoneLate()
        }
        now += 3_000
        deadlines.look()
        expect(open.size).toBe(0)
      }),
    )
  })
})
