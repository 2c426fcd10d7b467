import { setTimeout } from 'node:timers/promises'

/**
 * To find tests and pages that take for granted that answers are there at once: with `BERTH_MOCK_LATE_MS=400` every answer of the mock
 * server and every change that it streams comes up to 400 ms late, each by a time of its own, changes in their order.
 */
const mostMs = Number(process.env.BERTH_MOCK_LATE_MS ?? 0)

export const late = async (): Promise<void> => void (mostMs > 0 && (await setTimeout(Math.random() * mostMs)))

/** Calls `send` late, and never before what was given to it earlier. */
export function lateInOrder<T>(send: (each: T) => void): (each: T) => void {
  if (mostMs === 0) return send
  let before = Promise.resolve()
  return (each) => {
    before = Promise.all([before, late()]).then(() => send(each))
  }
}
