import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PingPace } from './ping-pace.ts'

it('a round takes no longer than it should, however late the timer comes', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 100 }), (waits) => {
      const pace = new PingPace(3_000, 20, 0)
      let now = 0
      let parts = 0
      for (const wait of waits) {
        now += wait
        parts += pace.due(now)
      }
      expect(parts).toBe(Math.floor(now / 150))
    }),
  )
})

it('after a standstill there is one round, not all that were missed', () => {
  const pace = new PingPace(3_000, 20, 0)
  expect(pace.due(60_000)).toBe(20)
  expect(pace.due(60_149)).toBe(0)
  expect(pace.due(60_150)).toBe(1)
})
