import { expect, it } from 'vitest'
import { ClockWatch } from './clock-watch.ts'

const minute = 60_000
const told = (offMs: number): string | undefined => {
  const watch = new ClockWatch()
  watch.note(1_000_000, 1_000_000 + offMs, 0)
  return watch.note(1_010_000, 1_010_000 + offMs, 10_000)
}

it.each([
  [0, undefined],
  [minute - 1, undefined],
  [-minute + 1, undefined],
  [minute, '1 minute ahead of'],
  [30 * minute, '30 minutes ahead of'],
  [-90 * minute, '90 minutes behind'],
  [-5 * 60 * minute, '5 hours behind'],
  [6 * 365 * 24 * 60 * minute, '2190 days ahead of'],
])('%d ms off is told as: %s', (offMs, words) => {
  if (words === undefined) expect(told(offMs)).toBeUndefined()
  else expect(told(offMs)).toContain(`its clock is ${words} the server's`)
})

it('is not told anew for seconds', () => {
  const watch = new ClockWatch()
  watch.note(0, 29.5 * minute, 0)
  const said = Array.from({ length: 100 }, (_, n) => watch.note(0, 29.5 * minute + (n % 2 ? 40 : -40), 10_000 + n))
  expect(new Set(said).size).toBe(1)
})

it('pings that have waited while the process stood still say nothing', () => {
  const watch = new ClockWatch()
  for (let n = 0; n < 300; n++) expect(watch.note(n * 1_000, 300_000, 300_000 + n)).toBeUndefined()
  expect(watch.note(300_000, 300_000, 310_500)).toBeUndefined()
  expect(watch.note(310_000, 500_000, 320_600)).toBeUndefined()
})
