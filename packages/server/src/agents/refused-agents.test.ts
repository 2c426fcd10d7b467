import { expect, it } from 'vitest'
import { RefusedAgents } from './refused-agents.ts'

it('remembers for a minute why a node was refused, and tells the same once a minute', () => {
  const refused = new RefusedAgents()
  expect(refused.note('a', 'foreign', 0)).toBe(true)
  expect([refused.note('a', 'foreign', 2_000), refused.note('a', 'expired', 4_000)]).toEqual([false, true])
  for (let now = 6_000; now < 64_000; now += 2_000) expect(refused.note('a', 'expired', now)).toBe(false)
  expect(refused.note('a', 'expired', 64_000)).toBe(true)
  expect([refused.whyOf('a', 124_000), refused.whyOf('a', 124_001), refused.whyOf('b', 0)]).toEqual([
    'expired',
    undefined,
    undefined,
  ])
})

it('forgets the oldest when strangers name ever more nodes', () => {
  const refused = new RefusedAgents()
  for (let n = 0; n <= 10_000; n += 1) refused.note(`n${n}`, 'foreign', n)
  expect([refused.whyOf('n0', 10_000), refused.whyOf('n1', 10_000)]).toEqual([undefined, 'foreign'])
})
