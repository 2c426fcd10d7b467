import { vi } from 'vitest'

/** Waits until the assertions hold; long enough for a busy machine. */
export const eventually = <T>(assertions: () => T | Promise<T>, timeoutMs = 15_000): Promise<T> =>
  vi.waitFor(assertions, { timeout: timeoutMs, interval: 10 })
