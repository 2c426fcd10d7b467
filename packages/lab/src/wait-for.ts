import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'

export interface WaitOptions {
  /** Completes the sentence "waited N s for ...". */
  readonly what: string
  readonly deadlineMs: number
  readonly intervalMs?: number
  readonly signal?: AbortSignal | undefined
  /** Asked once at the deadline, for the error's message: what was seen instead. */
  readonly explain?: () => string | Promise<string>
}

/** Asks until the answer is neither undefined nor false, and gives it. Throws `lab.timeout` at the deadline. */
export async function waitFor<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const end = performance.now() + options.deadlineMs
  for (;;) {
    options.signal?.throwIfAborted()
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() >= end) break
    await delay(options.intervalMs ?? 10, undefined, { signal: options.signal })
  }
  const seen = await options.explain?.()
  throw new BerthError(
    'lab.timeout',
    `waited ${options.deadlineMs / 1000} s for ${options.what}${seen ? `; last seen: ${seen}` : ''}`,
  )
}
