import { describe, expect, it } from 'vitest'
import { Limiter } from './limiter.ts'

describe('Limiter', () => {
  it('never runs more than its limit, and everything in the end', async () => {
    const limiter = new Limiter(3)
    let active = 0
    let most = 0
    const done = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        limiter.run(async () => {
          active += 1
          most = Math.max(most, active)
          await new Promise((resolve) => setImmediate(resolve))
          active -= 1
          return index
        }),
      ),
    )
    expect(most).toBe(3)
    expect(done).toHaveLength(20)
  })

  it('gives the place of a failed one to the next', async () => {
    const limiter = new Limiter(1)
    await expect(limiter.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await limiter.run(async () => 'next')).toBe('next')
  })

  it('lets a waiting one give up, without losing its place for the others', async () => {
    const limiter = new Limiter(1)
    const gate = Promise.withResolvers<void>()
    const first = limiter.run(() => gate.promise)
    const abort = new AbortController()
    const second = limiter.run(async () => 'second', abort.signal)
    const third = limiter.run(async () => 'third')
    abort.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')
    gate.resolve()
    await first
    expect(await third).toBe('third')
  })
})
