import { setTimeout as delay } from 'node:timers/promises'

/** Waits for a condition with a deadline; resolves to its first value that is neither false nor undefined. */
export async function waitUntil<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 60_000,
  explain: () => string = () => '',
): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s in vain for ${what}\n${explain()}`)
    await delay(20)
  }
}
