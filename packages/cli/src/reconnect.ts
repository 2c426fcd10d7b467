import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'
import type { CommandContext } from './command-context.ts'

/** How long a server that went away is waited for: a restart or an upgrade is over by then. */
const patienceMs = 60_000
const pauseMs = 500

/**
 * Follows something to its end, over restarts of the server: what is followed goes on without it. `attempt` begins anew from what the
 * server then says; it fails as it does when the server is away for good, or says something else.
 */
export async function overRestarts<T>(
  { out, signal }: Pick<CommandContext, 'out' | 'signal'>,
  what: string,
  attempt: () => Promise<T>,
): Promise<T> {
  let lostAt: number | undefined
  for (;;) {
    const triedAt = performance.now()
    try {
      return await attempt()
    } catch (error) {
      if (signal.aborted || !isLost(error)) throw error
      if (error instanceof BerthError && error.code === 'store.compacted') continue
      // An attempt that had reached the server ends the old patience.
      if (lostAt === undefined || reached(error)) {
        out.note(`${out.style.yellow('!')} the server went away; ${what} goes on, waiting for the server`)
        lostAt = performance.now()
      }
      if (triedAt - lostAt > patienceMs) throw error
      await delay(pauseMs, undefined, { signal })
    }
  }
}

/** The server is not there, or ended, or has no longer the changes that were asked for (then it is asked anew at once). */
const isLost = (error: unknown): boolean =>
  error instanceof BerthError &&
  (error.code === 'server.gone' ||
    error.code === 'server.unreachable' ||
    error.code === 'server.stopping' ||
    error.code === 'store.compacted')

const reached = (error: unknown): boolean => error instanceof BerthError && error.code !== 'server.unreachable'
