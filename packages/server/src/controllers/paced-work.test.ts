import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import { Pace } from './pace.ts'
import { PacedWork } from './paced-work.ts'

const spend = (timeMs: number): void => {
  const until = performance.now() + timeMs
  while (performance.now() < until);
}

describe('paced work', () => {
  it('is done once for marks of one turn, and again for later ones', async () => {
    const done: string[] = []
    using work = new PacedWork({ act: (key) => done.push(key) })
    for (const key of ['a', 'b', 'a']) work.mark(key)
    expect(done).toEqual([])
    await eventually(() => expect(done).toEqual(['a', 'b']))
    work.mark('a')
    await eventually(() => expect(done).toEqual(['a', 'b', 'a']))
  })

  it('lets others have their turn when it is much', async () => {
    let done = 0
    using work = new PacedWork({
      act: () => {
        spend(5)
        done += 1
      },
      share: 0.25,
    })
    const startedAt = performance.now()
    for (let key = 0; key < 12; key += 1) work.mark(String(key))
    let turns = 0
    while (done < 12) {
      await delay(1)
      turns += 1
    }
    // 60 ms of work in slices of 10 that are each followed by three times as much.
    expect(performance.now() - startedAt).toBeGreaterThan(150)
    expect(turns).toBeGreaterThanOrEqual(5)
  })

  it('ends with its owner', async () => {
    const done: string[] = []
    const work = new PacedWork({ act: (key) => done.push(key) })
    work.mark('a')
    work[Symbol.dispose]()
    await delay(5)
    expect(done).toEqual([])
  })
})

describe('a pace', () => {
  it('gives turns in the order in which they were asked for', async () => {
    const order: number[] = []
    using pace = new Pace(0.5)
    await Promise.all([1, 2, 3].map((n) => pace.turn().then(() => order.push(n))))
    expect(order).toEqual([1, 2, 3])
  })

  it('keeps long pieces of work to their share of the time', async () => {
    using pace = new Pace(0.5)
    const startedAt = performance.now()
    for (let n = 0; n < 5; n += 1) {
      await pace.turn()
      spend(10)
      pace.spent(10)
    }
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(85)
  })

  it('keeps many short ones to it as well, and lets the first few of them go', async () => {
    const shares: number[] = []
    // The machine may be busy with others at the beginning of one, hardly of several.
    while (shares.length < 8 && Math.min(...shares) >= 1 / 4) {
      using pace = new Pace(0.25)
      const startedAt = performance.now()
      let firstTwoMs = 0
      for (let n = 0; n < 20; n += 1) {
        await pace.turn()
        spend(2)
        pace.spent(2)
        if (n === 1) firstTwoMs = performance.now() - startedAt
      }
      const tookMs = performance.now() - startedAt
      expect(tookMs).toBeGreaterThan(100)
      shares.push(firstTwoMs / tookMs)
    }
    expect(Math.min(...shares)).toBeLessThan(1 / 4)
  })

  it('keeps nobody waiting when it ends', async () => {
    const pace = new Pace(0.01)
    await pace.turn()
    pace.spent(1_000_000)
    const waiting = [pace.turn(), pace.turn()]
    pace[Symbol.dispose]()
    await Promise.all(waiting)
  })
})
