import type { Client, LogLine } from '@berth/api'
import { BerthError } from '@berth/core'
import type { CommandContext } from './command-context.ts'
import { streamOverRestarts } from './reconnect.ts'

export interface LogQuery {
  readonly instance?: string | undefined
  readonly app?: string | undefined
  readonly pool?: string | undefined
  readonly entrypoint?: string | undefined
  readonly tail?: string | undefined
  readonly sinceMs?: string | undefined
  readonly grep?: string | undefined
}

type Follower = Pick<CommandContext, 'client' | 'out' | 'servers'>

/** Lines of different nodes are dated by different clocks, and come in a little late. */
const overlapMs = 10_000

/** Lines as they come, over restarts of the server and at whichever: none is missed, none comes twice. */
export async function* followLogs(follower: Follower, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
  const shown = new ShownLines()
  const { client } = follower
  yield* streamOverRestarts({ ...follower, signal }, 'the log', async function* () {
    const since = shown.newestMs === undefined ? {} : { tail: undefined, sinceMs: sinceOf(shown.newestMs, query) }
    shown.reopened()
    const lines = client.lines('getLogs', { query: { ...query, ...since, follow: 'true' } }, { signal })
    for await (const line of lines) if (shown.isNew(line)) yield line
    // A server that stops ends the stream, and so does the end of an instance.
    if (query.instance === undefined || (await mayGoOn(client, query.instance, signal)))
      throw new BerthError('server.gone', 'the server closed the log', { retryable: true })
  })
}

async function mayGoOn(client: Client, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await client.call('getInstance', { params: { id } }, { signal })).phase !== 'ended'
  } catch (error) {
    if (error instanceof BerthError && error.code === 'instance.not-found') return false
    throw error
  }
}

const sinceOf = (newestMs: number, { sinceMs = '0' }: LogQuery): string =>
  String(Math.max(newestMs - overlapMs, Number(sinceMs)))

/** What has been shown of each instance's log: all up to a time, and of that time these lines. */
export class ShownLines {
  newestMs: number | undefined
  readonly #last = new Map<string, { readonly at: number; readonly lines: Map<string, number> }>()
  #again = new Map<string, Map<string, number>>()

  /** From now on lines that have been shown may come again. */
  reopened(): void {
    this.#again = new Map([...this.#last].map(([instance, { lines }]) => [instance, new Map(lines)]))
  }

  isNew(line: LogLine): boolean {
    const { at, stream } = line
    if (stream === 'system') return true
    const instance = line.instance ?? ''
    const last = this.#last.get(instance)
    const text = `${stream} ${line.line}`
    if (last !== undefined && this.#isOld(instance, at, text, last.at)) return false
    // What comes a little late does not move the place.
    if (last !== undefined && at < last.at) return true
    const lines = last?.at === at ? last.lines : new Map<string, number>()
    lines.set(text, (lines.get(text) ?? 0) + 1)
    this.#last.set(instance, { at, lines })
    this.newestMs = Math.max(this.newestMs ?? 0, at)
    return true
  }

  /** Only what was there before the stream was opened anew can be old. */
  #isOld(instance: string, at: number, text: string, lastAt: number): boolean {
    const again = this.#again.get(instance)
    if (again === undefined) return false
    if (at > lastAt) {
      this.#again.delete(instance)
      return false
    }
    if (at < lastAt) return true
    const times = again.get(text) ?? 0
    again.set(text, times - 1)
    return times > 0
  }
}
