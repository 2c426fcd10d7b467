import { expect, it } from 'vitest'
import { measureCoreSpeed } from './core-speed.ts'

it('is measured in a worker, about the same twice, and given up when asked', async () => {
  const [first, second] = [await measureCoreSpeed(), await measureCoreSpeed()]
  expect(first).toBeGreaterThan(1000)
  // On a machine that others use as well it is no closer than this.
  expect(Math.max(first, second) / Math.min(first, second)).toBeLessThan(3)
  await expect(measureCoreSpeed({ signal: AbortSignal.abort() })).rejects.toThrow()
})
