import { expect, it } from 'vitest'
import { hearsTooFew } from './hearing.ts'

it.each([
  [0, [], false],
  [0, [0, 0], false],
  [0, [1], true],
  [1, [2], false],
  [1, [3, 0], true],
  [50, [99, 100], false],
  [49, [99, 100], true],
])('a server that hears %d of what others hear (%j): too few is %s', (own, others, tooFew) =>
  expect(hearsTooFew(own, others)).toBe(tooFew),
)
