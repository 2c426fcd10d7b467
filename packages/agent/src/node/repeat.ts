import { setTimeout as delay } from 'node:timers/promises'

/** Does something again and again, with a pause after each time, until disposed of. What it throws is its own affair. */
export function repeat(
  pauseMs: number | (() => number),
  action: (signal: AbortSignal) => Promise<void>,
): AsyncDisposable {
  const closing = new AbortController()
  const { signal } = closing
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await delay(typeof pauseMs === 'number' ? pauseMs : pauseMs(), undefined, { signal }).catch(() => undefined)
      if (!signal.aborted) await action(signal).catch(() => undefined)
    }
  }
  const loop = run()
  return {
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      await loop
    },
  }
}
