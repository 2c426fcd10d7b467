import { expect, it } from 'vitest'
import { type CopySlot, CopySlots } from './copy-slots.ts'

const { signal } = new AbortController()

it('a thousand that wait for one giver are asked for theirs when they come and when a slot is given back, and come in turn', async () => {
  const slots = new CopySlots(() => ({ takes: 1, gives: 1 }))
  let asked = 0
  const order: number[] = []
  const sources = () => {
    asked += 1
    return ['giver']
  }
  const first = await slots.acquire('first', sources, signal)
  const all = Array.from({ length: 1000 }, async (_, at): Promise<CopySlot | undefined> => {
    const slot = await slots.acquire(`node-${at}`, sources, signal)
    order.push(at)
    return slot
  })
  expect(asked).toBe(1001)
  first?.[Symbol.dispose]()
  ;(await all[0])?.[Symbol.dispose]()
  ;(await all[1])?.[Symbol.dispose]()
  await all[2]
  expect(order).toEqual([0, 1, 2])
  expect(asked).toBeLessThanOrEqual(1001 + 3 * 1000)
})

it('who waits for its own node asks nobody who could give', async () => {
  const slots = new CopySlots(() => ({ takes: 1, gives: 8 }))
  let asked = 0
  const sources = () => {
    asked += 1
    return ['giver']
  }
  const [slot] = await Promise.all([slots.acquire('node', sources, signal)])
  const waiting = slots.acquire('node', sources, signal)
  slots.look()
  const other = slots.acquire('other', () => undefined, signal)
  expect(await other).toBeUndefined()
  expect(asked).toBe(1)
  slot?.[Symbol.dispose]()
  expect((await waiting)?.from).toBe('giver')
})

it('one that gives up is out of the way', async () => {
  const slots = new CopySlots(() => ({ takes: 1, gives: 1 }))
  const abort = new AbortController()
  const first = await slots.acquire('a', () => ['giver'], signal)
  const gaveUp = slots.acquire('b', () => ['giver'], abort.signal)
  const last = slots.acquire('c', () => ['giver'], signal)
  abort.abort()
  await expect(gaveUp).rejects.toThrow('aborted')
  first?.[Symbol.dispose]()
  expect((await last)?.from).toBe('giver')
})
