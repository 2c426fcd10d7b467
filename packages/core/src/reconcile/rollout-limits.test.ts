import { expect, it } from 'vitest'
import { rolloutLimits, servingRange } from './rollout-limits.ts'

const percent = (percent: number) => ({ percent })

it.each([
  ['counts stay as they are', 3, 1, 10, [3, 1]],
  ['a quarter more of one is one', percent(25), 0, 1, [1, 0]],
  ['a quarter more of four is one', percent(25), 0, 4, [1, 0]],
  ['a quarter more of five is two', percent(25), 0, 5, [2, 0]],
  ['a quarter more of ten is three', percent(25), 0, 10, [3, 0]],
  ['as many again', percent(100), 0, 7, [7, 0]],
  ['a quarter less of ten is two', 0, percent(25), 10, [0, 2]],
  ['a quarter less of three would be none, so it is one', 0, percent(25), 3, [0, 1]],
  ['nothing more and nothing less cannot move, so one may be missing', percent(0), percent(0), 8, [0, 1]],
  ['of none wanted, none more', percent(25), 1, 0, [0, 1]],
] as const)('%s', (_, surge, unavailable, wanted, [more, fewer]) => {
  expect(rolloutLimits({ surge, unavailable }, wanted)).toEqual({ surge: more, unavailable: fewer })
})

it.each([
  ['more: none is missing meanwhile', 2, 5, 0, 1, 0, [2, 5]],
  ['fewer: those that stay serve on', 5, 2, 0, 1, 0, [2, 5]],
  ['new for old, one more at a time', 4, 4, 4, 1, 0, [4, 5]],
  ['new for old where one may be missing', 4, 4, 4, 0, 1, [3, 4]],
  ['the only one, which has no room beside it, is missing meanwhile', 1, 1, 1, 0, 1, [0, 1]],
  ['some may be missing that were never there', 2, 6, 2, 1, 1, [2, 7]],
  ['fewer and new: those beyond may leave', 8, 4, 4, 0, 1, [3, 8]],
] as const)('%s', (_, now, wanted, replaced, surge, unavailable, [lowest, highest]) => {
  expect(servingRange(now, wanted, replaced, { surge, unavailable })).toEqual({ now, lowest, highest })
})
