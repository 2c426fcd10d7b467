import { expect, it } from 'vitest'
import { rolloutLimits } from './rollout-limits.ts'

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
