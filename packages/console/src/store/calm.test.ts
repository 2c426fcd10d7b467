import { expect, it } from 'vitest'
import { calm } from './calm.ts'

it('tells at once without a pause, and once for all that comes within one', async () => {
  let told = 0
  let pauseMs = 0
  const { notify, stop } = calm(
    () => {
      told += 1
    },
    () => pauseMs,
  )
  notify()
  notify()
  expect(told).toBe(2)
  pauseMs = 5
  for (let n = 0; n < 1_000; n += 1) notify()
  expect(told).toBe(2)
  await expect.poll(() => told).toBe(3)
  notify()
  stop()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(told).toBe(3)
})
