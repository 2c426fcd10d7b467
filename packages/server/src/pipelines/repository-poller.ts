import { type EventType, messageOf, type Pipeline } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, State } from '../records/index.ts'
import type { RepositoryLooks } from './repository-looks.ts'

export interface RepositoryPollerOptions {
  readonly records: Records
  readonly state: State
  readonly looks: Pick<RepositoryLooks, 'look'>
  readonly log: Logger
  /** Looks at once, of all apps. */
  readonly concurrency?: number
  readonly tickMs?: number
  readonly now?: () => number
  /** 0 to 1. */
  readonly random?: () => number
}

interface Turn {
  /** Of the pipeline that it was reckoned for: another interval counts at once. */
  readonly pollMs: number
  at: number
  failures: number
}

const defaults = { concurrency: 4, tickMs: 1_000 }
const maxBackoffMs = 3_600_000

/** When to look again: the interval with a fifth of jitter, so that apps do not ask in step; doubled with each failure, up to an hour. */
export function nextPoll(pollMs: number, failures: number, random: number): number {
  const waited = Math.max(pollMs, Math.min(maxBackoffMs, pollMs * 2 ** Math.min(failures, 20)))
  return Math.round(waited * (0.9 + random * 0.2))
}

/** Looks at the repositories of pipelines that say how often, a bounded number at a time. */
export class RepositoryPoller implements AsyncDisposable {
  readonly #options: RepositoryPollerOptions
  readonly #now: () => number
  readonly #random: () => number
  readonly #turns = new Map<string, Turn>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #closing = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(options: RepositoryPollerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#random = options.random ?? Math.random
    this.#timer = setInterval(() => this.#tick(), options.tickMs ?? defaults.tickMs)
    this.#timer.unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort()
    await Promise.all(this.#running.values())
  }

  #tick(): void {
    const { state, concurrency = defaults.concurrency } = this.#options
    for (const app of this.#turns.keys()) if (state.pipelines.get(app)?.pollMs === undefined) this.#turns.delete(app)
    const due: { readonly app: string; readonly turn: Turn }[] = []
    for (const pipeline of state.pipelines.values()) {
      const turn = this.#turnOf(pipeline)
      if (turn !== undefined && turn.at <= this.#now() && !this.#running.has(pipeline.app))
        due.push({ app: pipeline.app, turn })
    }
    due.sort((a, b) => a.turn.at - b.turn.at)
    for (const { app, turn } of due.slice(0, Math.max(0, concurrency - this.#running.size))) this.#begin(app, turn)
  }

  /** One that is new here waits a random part of its interval: after a start of the server not all ask at once. */
  #turnOf({ app, pollMs }: Pipeline): Turn | undefined {
    if (pollMs === undefined) return undefined
    const known = this.#turns.get(app)
    if (known?.pollMs === pollMs) return known
    const turn = { pollMs, at: this.#now() + Math.round(pollMs * this.#random()), failures: 0 }
    this.#turns.set(app, turn)
    return turn
  }

  #begin(app: string, turn: Turn): void {
    const work = this.#look(app, turn).finally(() => {
      this.#running.delete(app)
      turn.at = this.#now() + nextPoll(turn.pollMs, turn.failures, this.#random())
    })
    this.#running.set(app, work)
  }

  async #look(app: string, turn: Turn): Promise<void> {
    const { looks, log } = this.#options
    try {
      await looks.look(app, { by: 'poll', hinted: [], signal: this.#closing.signal })
      if (turn.failures > 0) await this.#tell(app, 'pipeline.reached', `${app}: its repository answers again`)
      turn.failures = 0
    } catch (error) {
      if (this.#closing.signal.aborted) return
      turn.failures += 1
      log.warn({ err: error, app, failures: turn.failures }, `look for pushes to ${app}: ${messageOf(error)}`)
      // The first of a row: the others say nothing new.
      if (turn.failures === 1) await this.#tell(app, 'pipeline.unreachable', `${app}: ${messageOf(error)}`)
    }
  }

  async #tell(app: string, type: EventType, message: string): Promise<void> {
    const write = this.#options.records.commit('system:pipelines', (tx) => {
      if (this.#options.state.apps.has(app)) tx.event({ type, subject: { app }, message })
    })
    await write.catch((error: unknown) =>
      this.#options.log.warn({ err: error, app }, `write ${type}: ${messageOf(error)}`),
    )
  }
}
