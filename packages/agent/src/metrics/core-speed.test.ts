import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { measureCoreSpeed } from './core-speed.ts'

it('is measured in a worker, about the same twice, and given up when asked', async () => {
  // Others use the machine as well, and slow some of these down.
  const speeds: number[] = []
  for (let time = 0; time < 4; time++) speeds.push(await measureCoreSpeed())
  const [first = 0, second = 0] = speeds.sort((a, b) => b - a)
  expect(second).toBeGreaterThan(1000)
  expect(first / second).toBeLessThan(3)
  await expect(measureCoreSpeed({ signal: AbortSignal.abort() })).rejects.toThrow()
})

it('counts the time that it had of a core: others who want it as well change little', async () => {
  const alone = await measureCoreSpeed()
  const others = Array.from({ length: 8 }, () => new Worker('for (;;) {}', { eval: true }))
  try {
    const among = await measureCoreSpeed()
    expect(alone / among).toBeLessThan(3)
  } finally {
    await Promise.all(others.map((each) => each.terminate()))
  }
}, 90_000)
