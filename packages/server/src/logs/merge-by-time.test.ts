import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TimeMerge } from './merge-by-time.ts'

interface Item {
  readonly at: number
  readonly from: number
}

async function* stream(items: readonly Item[], pauseEach = false): AsyncGenerator<Item> {
  for (const item of items) {
    if (pauseEach) await new Promise((resolve) => setImmediate(resolve))
    yield item
  }
}

/** Gives what it is told, when it is told. */
function controlled() {
  const waiting: ((result: IteratorResult<Item>) => void)[] = []
  const ready: IteratorResult<Item>[] = []
  const give = (result: IteratorResult<Item>): void => {
    const next = waiting.shift()
    if (next === undefined) ready.push(result)
    else next(result)
  }
  const items: AsyncIterable<Item> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        const result = ready.shift()
        return result === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(result)
      },
    }),
  }
  return {
    items,
    push: (at: number) => give({ done: false, value: { at, from: 0 } }),
    end: () => give({ done: true, value: undefined }),
  }
}

describe('merging by time', () => {
  it('gives every item of every source once, in order, whatever their pace', async () => {
    const sources = fc.array(fc.record({ times: fc.array(fc.nat(1000)), slow: fc.boolean() }), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(sources, async (given) => {
        const merge = new TimeMerge<Item>()
        for (const [from, { times, slow }] of given.entries())
          merge.add(
            stream(
              [...times].sort((a, b) => a - b).map((at) => ({ at, from })),
              slow,
            ),
          )
        const merged = await Array.fromAsync(merge.items())
        const all = given.flatMap(({ times }) => times).sort((a, b) => a - b)
        expect(merged.map((item) => item.at)).toEqual(all)
      }),
      { numRuns: 200 },
    )
  })

  it('beside a silent source, what is old comes in order, and at once', async () => {
    const silent = controlled()
    const merge = new TimeMerge<Item>({ holdMs: 100, isOpen: () => true })
    merge.add(silent.items)
    const times = (from: number) => Array.from({ length: 500 }, (_, at) => ({ at: 2 * at + from, from }))
    merge.add(stream(times(0), true))
    merge.add(stream(times(1)))
    const items = merge.items()
    const startedAt = performance.now()
    for (let at = 0; at < 1000; at += 1) expect((await items.next()).value?.at).toBe(at)
    // One hold, not one for each item.
    expect(performance.now() - startedAt).toBeLessThan(10_000)
    await items.return(undefined)
  })

  it('a fresh item waits for an earlier one of a source that was silent', async () => {
    const [late, early] = [controlled(), controlled()]
    const merge = new TimeMerge<Item>({ holdMs: 200, isOpen: () => true })
    merge.add(late.items)
    merge.add(early.items)
    const items = merge.items()
    const first = items.next()
    await new Promise((resolve) => setTimeout(resolve, 250))
    const now = Date.now()
    late.push(now)
    early.push(now - 20)
    expect((await first).value?.at).toBe(now - 20)
    expect((await items.next()).value?.at).toBe(now)
    await items.return(undefined)
  })

  it('waits for a slow source no longer than it was told, and takes in new ones', async () => {
    const silent = controlled()
    const open = { value: true }
    const merge = new TimeMerge<Item>({ holdMs: 30, isOpen: () => open.value })
    merge.add(silent.items)
    merge.add(stream([{ at: 5, from: 1 }]))
    const items = merge.items()
    expect((await items.next()).value?.at).toBe(5)
    merge.add(stream([{ at: 3, from: 2 }]))
    expect((await items.next()).value?.at).toBe(3)
    silent.push(9)
    expect((await items.next()).value?.at).toBe(9)
    silent.end()
    open.value = false
    merge.poke()
    expect((await items.next()).done).toBe(true)
  })
})
