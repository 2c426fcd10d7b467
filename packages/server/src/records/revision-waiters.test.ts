import { describe, expect, it } from 'vitest'
import { RevisionWaiters } from './revision-waiters.ts'

describe('those who wait for a revision', () => {
  it('are called when it or a later one is reached, whatever the order in which they came', async () => {
    const waiters = new RevisionWaiters()
    const called: number[] = []
    const all = [5, 3, 9, 3].map((revision) => waiters.wait(revision, undefined).then(() => called.push(revision)))
    waiters.reached(4)
    await Promise.all([all[1], all[3]])
    expect(called).toEqual([3, 3])
    waiters.reached(9)
    await Promise.all(all)
    expect(called).toEqual([3, 3, 5, 9])
  })

  it('stop waiting when they are told to, or when nothing more comes', async () => {
    const waiters = new RevisionWaiters()
    const stop = new AbortController()
    const aborted = waiters.wait(2, stop.signal)
    const ended = waiters.wait(2, undefined)
    stop.abort(new Error('enough'))
    waiters.end(new Error('closed'))
    await expect(aborted).rejects.toThrow('enough')
    await expect(ended).rejects.toThrow('closed')
  })

  it('are thousands, and reached in turn', async () => {
    const waiters = new RevisionWaiters()
    const all = Array.from({ length: 5_000 }, (_, n) => waiters.wait(n + 1, undefined))
    for (let revision = 1; revision <= 5_000; revision += 1) waiters.reached(revision)
    await Promise.all(all)
  })
})
