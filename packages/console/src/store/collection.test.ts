import type { WatchEvent } from '@berth/api/endpoint'
import { BerthError } from '@berth/core/model/berth-error'
import { afterEach, describe, expect, it } from 'vitest'
import { backoffMs } from './backoff.ts'
import { Collection } from './collection.ts'

interface Item {
  readonly id: string
  readonly n: number
}

type Step = WatchEvent<Item> | Error | 'end'

/** A server of which every answer is written down; when the script of a watch is over, the watch stays silent. */
class Script {
  readonly calls: string[] = []
  readonly delays: number[] = []
  lists: (readonly Item[] | Error)[] = []
  watches: (readonly Step[])[] = []

  list(): Promise<{ items: readonly Item[]; revision: number }> {
    this.calls.push('list')
    const items = this.lists.shift() ?? []
    return items instanceof Error ? Promise.reject(items) : Promise.resolve({ items, revision: 10 })
  }

  async *watch(revision: number, signal: AbortSignal): AsyncGenerator<WatchEvent<Item>> {
    this.calls.push(`watch ${revision}`)
    for (const step of this.watches.shift() ?? []) {
      if (step instanceof Error) throw step
      if (step === 'end') return
      yield step
    }
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }

  keyOf = ({ id }: Item): string => id
}

const running: Collection<Item>[] = []
afterEach(() => {
  for (const collection of running.splice(0)) collection.stop()
})

async function run(script: Script, done: (collection: Collection<Item>) => boolean): Promise<Collection<Item>> {
  const delay = (ms: number) => {
    script.delays.push(ms)
    return Promise.resolve()
  }
  const collection = new Collection<Item>(script, { delay, random: () => 0.5 })
  running.push(collection)
  await new Promise<void>((resolve) => {
    collection.subscribe(() => done(collection) && resolve())
    collection.start()
  })
  return collection
}

const put = (id: string, n: number, revision: number): WatchEvent<Item> => ({ type: 'put', revision, item: { id, n } })
const mark = (revision: number): WatchEvent<Item> => ({ type: 'mark', revision })
const values = (collection: Collection<Item>) => collection.snapshot.items.map(({ id, n }) => `${id}${n}`)

describe('a collection', () => {
  it('lists once and applies what changes', async () => {
    const script = new Script()
    script.lists = [
      [
        { id: 'a', n: 1 },
        { id: 'b', n: 1 },
      ],
    ]
    script.watches = [[put('a', 2, 11), { type: 'delete', revision: 12, id: 'b' }, put('c', 1, 13)]]
    const collection = await run(script, (each) => each.snapshot.items.some(({ id }) => id === 'c'))
    expect(values(collection)).toEqual(['a2', 'c1'])
    expect(script.calls).toEqual(['list', 'watch 10'])
    expect(collection.snapshot.state).toBe('live')
  })

  it('goes on from the last mark, never from the middle of a batch', async () => {
    const script = new Script()
    script.lists = [[]]
    script.watches = [[put('a', 1, 11), mark(11), put('a', 2, 20), new Error('reset')], [put('a', 3, 20)]]
    const states = new Set<string>()
    const collection = await run(script, (each) => {
      states.add(each.snapshot.state)
      return values(each).includes('a3')
    })
    expect(script.calls).toEqual(['list', 'watch 10', 'watch 11'])
    expect(states).toContain('reconnecting')
    expect(values(collection)).toEqual(['a3'])
  })

  it('keeps showing what it knows while it reconnects', async () => {
    const script = new Script()
    script.lists = [[{ id: 'a', n: 1 }]]
    script.watches = [['end'], [mark(10)]]
    const seen: string[] = []
    await run(script, (each) => {
      seen.push(`${each.snapshot.state} ${values(each)}`)
      return seen.length === 3
    })
    expect(seen).toEqual(['live a1', 'reconnecting a1', 'live a1'])
  })

  it('lists again when its revision was compacted', async () => {
    const script = new Script()
    script.lists = [[{ id: 'a', n: 1 }], [{ id: 'b', n: 1 }]]
    script.watches = [[new BerthError('store.compacted', 'gone', { retryable: true })]]
    const collection = await run(script, (each) => values(each).includes('b1'))
    expect(values(collection)).toEqual(['b1'])
    expect(script.calls.filter((call) => call === 'list')).toHaveLength(2)
  })

  it('waits longer after each failure', async () => {
    const script = new Script()
    script.lists = [new Error('refused'), new Error('refused'), new Error('refused'), [{ id: 'a', n: 1 }]]
    await run(script, (each) => each.snapshot.state === 'live')
    expect(script.delays).toEqual([250, 500, 1_000])
  })

  it('gives up on an answer that will not change', async () => {
    const script = new Script()
    script.lists = [new BerthError('auth.forbidden', 'not for viewers')]
    const collection = await run(script, (each) => each.snapshot.state === 'failed')
    expect(collection.snapshot.error).toMatchObject({ code: 'auth.forbidden' })
    expect(script.calls).toEqual(['list'])
  })

  it('goes on where it was after it was stopped', async () => {
    const script = new Script()
    script.lists = [[{ id: 'a', n: 1 }]]
    script.watches = [[mark(15)], [put('a', 2, 16)]]
    const collection = await run(script, (each) => each.snapshot.state === 'live')
    await expect.poll(() => script.calls.length).toBe(2)
    collection.stop()
    await new Promise<void>((resolve) => {
      collection.subscribe(() => values(collection).includes('a2') && resolve())
      collection.start()
    })
    expect(script.calls.filter((call) => call === 'list')).toHaveLength(1)
  })
})

it.each([
  [1, 0, 188],
  [1, 0.5, 250],
  [4, 0.5, 2_000],
  [50, 0.5, 8_000],
])('after %d failures, by chance %d, waits %d ms', (failures, random, ms) =>
  expect(backoffMs(failures, random)).toBe(ms),
)
