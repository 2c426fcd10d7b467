import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines } from './deadlines.ts'

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
        const open = new Map<number, { dueMs: number; tick: number }>()
        using deadlines = new Deadlines<number>(
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
        steps.forEach(({ afterMs, passMs, giveUp }, item) => {
          open.set(item, { dueMs: now + afterMs, tick: deadlines.add(item, afterMs) })
          if (giveUp) {
            deadlines.delete(item, open.get(item)?.tick ?? 0)
            open.delete(item)
          }
          now += passMs
          deadlines.look()
          expectNoneLate()
        })
        now += 3_000
        deadlines.look()
        expect(open.size).toBe(0)
      }),
    )
  })
})
