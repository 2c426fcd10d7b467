import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'
import type { CommandContext } from './command-context.ts'

/** How long a server that went away is waited for: a restart or an upgrade is over by then. */
const patienceMs = 60_000
const pauseMs = 500

type Follower = Pick<CommandContext, 'out' | 'signal' | 'servers'>

/**
 * Follows something to its end, over restarts of the server: what is followed goes on without it. `attempt` begins anew from what the
 * server then says, or the next one of its cluster; it fails as it does when none is there for long, or says something else.
 */
export async function overRestarts<T>(follower: Follower, what: string, attempt: () => Promise<T>): Promise<T> {
  const patience = new Patience(follower, what)
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      // What changed meanwhile is not known any more: the attempt lists anew.
      const isCompacted = error instanceof BerthError && error.code === 'store.compacted'
      if (!isCompacted || follower.signal.aborted) await patience.wait(error)
    }
  }
}

/** The same for a stream: `open` goes on where the last one ended. */
export async function* streamOverRestarts<T>(
  follower: Follower,
  what: string,
  open: () => AsyncIterable<T>,
): AsyncGenerator<T> {
  const patience = new Patience(follower, what)
  for (;;) {
    try {
      return yield* open()
    } catch (error) {
      await patience.wait(error)
    }
  }
}

/** How long a follower goes on without a server. */
class Patience {
  readonly #follower: Follower
  readonly #what: string
  #lostAt: number | undefined
  #triedAt = performance.now()

  constructor(follower: Follower, what: string) {
    this.#follower = follower
    this.#what = what
  }

  /** Resolves when it is time for the next attempt; rejects with the error when there is none. */
  async wait(error: unknown): Promise<void> {
    const { signal, servers } = this.#follower
    if (signal.aborted || !isLost(error)) throw error
    // An attempt that had reached the server ends the old patience.
    const isNews = this.#lostAt === undefined || reached(error)
    if (isNews) this.#say()
    if (this.#lostAt !== undefined && this.#triedAt - this.#lostAt > patienceMs) throw error
    // Another server can be asked at once.
    if (!(isNews && servers.endpoints.length > 1)) await delay(pauseMs, undefined, { signal })
    this.#triedAt = performance.now()
  }

  #say(): void {
    const { out, servers } = this.#follower
    const next = servers.endpoints.length > 1 ? 'asking the next server' : 'waiting for the server'
    out.note(`${out.style.yellow('!')} the server went away; ${this.#what} goes on, ${next}`)
    this.#lostAt = performance.now()
  }
}

/** The server is not there, or ended, or can do nothing just now. */
const isLost = (error: unknown): boolean => error instanceof BerthError && lostCodes.has(error.code)

const lostCodes: ReadonlySet<string> = new Set([
  ...['server.gone', 'server.unreachable', 'server.stopping', 'server.relay-failed'],
  ...['store.unavailable', 'state.behind', 'leadership.over'],
])

/** `server.gone` is a connection that there was. */
const reached = (error: unknown): boolean =>
  error instanceof BerthError && (error.code === 'server.gone' || error.code === 'server.stopping')
