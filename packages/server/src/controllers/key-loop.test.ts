import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import { KeyLoop } from './key-loop.ts'

beforeEach(() => void vi.useFakeTimers({ now: 0 }))
afterEach(() => void vi.useRealTimers())

interface Work {
  readonly key: string
  readonly at: number
  readonly end: (next?: number) => void
  readonly fail: () => void
}

/** Every call of `process` waits until the test ends it. */
function loopUnderTest() {
  const works: Work[] = []
  const loop = new KeyLoop({
    name: 'test',
    log: silent,
    process: (key) =>
      new Promise((resolve, reject) => {
        works.push({ key, at: Date.now(), end: (next) => resolve(next), fail: () => reject(new Error('no')) })
      }),
  })
  return { loop, works, keys: () => works.map((work) => work.key) }
}

const soon = () => vi.advanceTimersByTimeAsync(1)

it('sees marks of one turn together, works on different keys beside each other and never twice on one', async () => {
  const { loop, works, keys } = loopUnderTest()
  for (const key of ['a', 'b', 'a', 'a']) loop.mark(key)
  await soon()
  expect(keys()).toEqual(['a', 'b'])
  loop.mark('a')
  loop.mark('a')
  await soon()
  expect(keys()).toEqual(['a', 'b'])
  works[0]?.end()
  await soon()
  expect(keys()).toEqual(['a', 'b', 'a'])
})

it('looks again at the time that was asked for, unless something happened before', async () => {
  const { loop, works, keys } = loopUnderTest()
  loop.mark('a')
  await soon()
  works[0]?.end(10_000)
  await vi.advanceTimersByTimeAsync(9_000)
  expect(keys()).toEqual(['a'])
  await vi.advanceTimersByTimeAsync(1_100)
  expect(works).toHaveLength(2)
  expect((works[1]?.at ?? 0) - 10_000).toBeLessThan(10)
  works[1]?.end(20_000)
  await soon()
  loop.mark('a')
  await soon()
  works[2]?.end()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(works).toHaveLength(3)
})

it('tries a failed key again after growing pauses that end with a success', async () => {
  const { loop, works } = loopUnderTest()
  loop.mark('a')
  await soon()
  const pauses: number[] = []
  for (let n = 0; n < 6; n++) {
    const failedAt = Date.now()
    works[n]?.fail()
    while (works.length < n + 2 && Date.now() - failedAt < 10_000) await vi.advanceTimersByTimeAsync(5)
    pauses.push((works[n + 1]?.at ?? 0) - failedAt)
  }
  expect(pauses[0]).toBeLessThanOrEqual(110)
  expect(pauses[5]).toBeGreaterThanOrEqual(1600)
  works[6]?.end()
  await soon()
  loop.mark('a')
  await soon()
  works[7]?.fail()
  await vi.advanceTimersByTimeAsync(110)
  expect(works).toHaveLength(9)
})

it('is idle when nothing is under way, and does nothing any more once it is closed', async () => {
  const { loop, works } = loopUnderTest()
  loop.mark('a')
  await soon()
  let idle = false
  void loop.idle().then(() => {
    idle = true
  })
  await soon()
  expect(idle).toBe(false)
  works[0]?.end(5_000)
  await soon()
  expect(idle).toBe(true)
  await loop[Symbol.asyncDispose]()
  loop.mark('a')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(works).toHaveLength(1)
})
