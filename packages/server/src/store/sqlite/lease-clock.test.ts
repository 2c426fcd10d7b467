import { setImmediate } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { eventually } from '../contract/store-under-test.ts'
import { LeaseClock } from './lease-clock.ts'

/** A clock that the test moves; the timers of LeaseClock are real and short. */
function makeClock(end: (id: string) => Promise<void>) {
  let nowMs = 0
  const clock = new LeaseClock({ end, now: () => nowMs })
  return { clock, pass: (ms: number) => (nowMs += ms) }
}

describe('the clock of leases', () => {
  it('ends each lease once, when its own time is over', async () => {
    const ended: string[] = []
    const { clock, pass } = makeClock(async (id) => void ended.push(id))
    using _clock = clock
    clock.start({ id: 'a', ttlMs: 10 })
    clock.start({ id: 'b', ttlMs: 25 })
    clock.start({ id: 'c', ttlMs: 5_000 })
    pass(10)
    await eventually(() => ended.length === 1, 'a ended')
    pass(15)
    await eventually(() => ended.length === 2, 'b ended')
    expect(ended).toEqual(['a', 'b'])
    expect(clock.keepAlive('a')).toBeUndefined()
    expect(clock.keepAlive('c')).toEqual({ id: 'c', ttlMs: 5_000 })
  })

  it('counts from the last sign of life', async () => {
    const ended: string[] = []
    const { clock, pass } = makeClock(async (id) => void ended.push(id))
    using _clock = clock
    clock.start({ id: 'kept', ttlMs: 20 })
    clock.start({ id: 'left', ttlMs: 20 })
    pass(15)
    clock.keepAlive('kept')
    pass(10)
    await eventually(() => ended.length === 1, 'the lease that was left ended')
    expect(ended).toEqual(['left'])
    pass(10)
    await eventually(() => ended.length === 2, 'the other ended')
  })

  it('lets a sign of life that waited out a stall still count', async () => {
    const ended: string[] = []
    using clock = new LeaseClock({ end: async (id) => void ended.push(id) })
    const { port1, port2 } = new MessageChannel()
    const kept = new Promise((resolve) => port2.once('message', (id: string) => resolve(clock.keepAlive(id))))
    clock.start({ id: 'a', ttlMs: 5_000 })
    await setImmediate() // the event loop turns to its timers next, and only then to messages
    clock.start({ id: 'b', ttlMs: 10 })
    port1.postMessage('b')
    stall(30)
    expect(await kept).toEqual({ id: 'b', ttlMs: 10 })
    expect(ended).toEqual([])
    port1.close()
  })

  it('tries again when an end could not be written, and lives no longer', async () => {
    let attempts = 0
    const { clock, pass } = makeClock(async () => {
      attempts += 1
      if (attempts === 1) throw new Error('disk full')
    })
    using _clock = clock
    clock.start({ id: 'a', ttlMs: 1 })
    pass(1)
    await eventually(() => attempts === 1, 'the first attempt')
    expect(clock.keepAlive('a')).toBeUndefined()
    await eventually(() => attempts === 2, 'the second attempt')
  })

  it('ends nothing after it is disposed', async () => {
    const ended: string[] = []
    const { clock, pass } = makeClock(async (id) => void ended.push(id))
    clock.start({ id: 'a', ttlMs: 1 })
    clock[Symbol.dispose]()
    pass(10)
    const { clock: other } = makeClock(async (id) => void ended.push(id))
    using _other = other
    other.start({ id: 'forgotten', ttlMs: 1 })
    other.forget('forgotten')
    other.start({ id: 'later', ttlMs: 0 })
    await eventually(() => ended.length > 0, 'the other clock ended a lease')
    expect(ended).toEqual(['later'])
  })
})

/** What a busy process does to its timers. */
function stall(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}
