const firstMs = 250
const mostMs = 8_000

/** Doubles from 250 ms to 8 s; a part by chance keeps many consoles from returning at the same instant. `random` is in [0, 1). */
export function backoffMs(failures: number, random: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.max(0, failures - 1))
  return Math.round(full * (0.75 + random / 2))
}

/** Rejects when `signal` aborts. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}
