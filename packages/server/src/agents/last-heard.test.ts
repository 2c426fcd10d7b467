import { expect, it } from 'vitest'
import { LastHeard } from './last-heard.ts'

const [silenceMs, tickMs] = [10_000, 500]
let now = 0
const made = (): LastHeard => {
  now = 1_000_000
  const heard = new LastHeard(silenceMs, tickMs, () => now)
  heard.heard('a')
  return heard
}
const look = (heard: LastHeard, afterMs: number): readonly string[] => {
  now += afterMs
  return heard.silent().map(([node]) => node)
}

it('tells who was not heard of for too long, and since when', () => {
  const heard = made()
  for (let passed = tickMs; passed < silenceMs; passed += tickMs) expect(look(heard, tickMs)).toEqual([])
  heard.heard('b')
  now += tickMs
  expect(heard.silent()).toEqual([['a', 1_000_000]])
  expect([heard.forget('a'), heard.forget('a'), heard.has('a'), heard.has('b')]).toEqual([true, false, false, true])
})

it('counts no standstill of its own, and goes on after it as if it had not been', () => {
  const heard = made()
  look(heard, 6_000)
  // A look that came 5.5 s late: half a second of the silence is the node’s.
  for (let passed = 1_000; passed < silenceMs; passed += tickMs) expect(look(heard, tickMs)).toEqual([])
  expect(look(heard, tickMs)).toEqual(['a'])
  expect(look(made(), 3_600_000)).toEqual([])
})

it('on a server that always comes late, a node has as many looks as on an idle one', () => {
  const heard = made()
  let looks = 1
  while (look(heard, 2_500).length === 0 && looks < 100) looks += 1
  expect(looks).toBe(silenceMs / tickMs)
})

it('does not mind a timer that is a little late, nor a clock that is set back', () => {
  const heard = made()
  let looks = 1
  while (look(heard, 600).length === 0 && looks < 100) looks += 1
  expect(looks).toBe(Math.ceil(silenceMs / 600))
  const set = made()
  expect(look(set, -60_000)).toEqual([])
  expect(look(set, tickMs)).toEqual([])
})
