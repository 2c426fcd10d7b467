import { expect, test } from 'vitest'
import { tryLock } from './lock.ts'
import { waitFor } from './wait-for.ts'

test('gives the first answer that is one', async () => {
  let asked = 0
  const answer = await waitFor(() => (++asked === 3 ? 'yes' : undefined), {
    what: 'yes',
    deadlineMs: 5000,
    intervalMs: 1,
  })
  expect(answer).toBe('yes')
  expect(asked).toBe(3)
})

test('says what it waited for and what it saw instead', async () => {
  const waiting = waitFor(() => false, {
    what: 'the door to open',
    deadlineMs: 20,
    intervalMs: 5,
    explain: () => 'shut',
  })
  await expect(waiting).rejects.toThrow('waited 0.02 s for the door to open; last seen: shut')
})

test('ends at once when aborted', async () => {
  const signal = AbortSignal.abort()
  await expect(waitFor(() => false, { what: 'never', deadlineMs: 60_000, signal })).rejects.toThrow('aborted')
})

test('a lock has one holder, and is free again after it', async () => {
  const name = `berth-lab-test-${process.pid}`
  {
    await using held = await tryLock(name)
    expect(held).toBeDefined()
    expect(await tryLock(name)).toBeUndefined()
  }
  await using again = await tryLock(name)
  expect(again).toBeDefined()
})
