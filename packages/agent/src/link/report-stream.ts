import type { ServerHttp2Stream } from 'node:http2'
import type { FromAgent } from '@berth/api'
import type { ConnectionRow, InstanceStatus, RequestRow } from '@berth/core'
import { write } from './stream-io.ts'

/** In one line: each may hold the last lines of a log, and a server takes no line that is too long. */
export const maxStatuses = 256

const maxRows = 500

/** Changes within this time travel together. */
const batchMs = 5

/**
 * What the agent says on a sync stream. Of several reports about one thing that the server has not taken yet only the last is sent, so a
 * slow server costs no memory.
 */
export class ReportStream {
  readonly #stream: ServerHttp2Stream
  readonly #lines: FromAgent[] = []
  readonly #statuses = new Map<string, InstanceStatus>()
  readonly #latest = new Map<FromAgent['type'], FromAgent>()
  /** Rows that wait, by what they are of; undefined when there is nothing to say, not even that nothing has changed. */
  #requests: Map<string, RequestRow> | undefined
  readonly #connections = new Map<string, ConnectionRow>()
  #timer: NodeJS.Timeout | undefined
  #writing = false

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
    stream.once('close', () => clearTimeout(this.#timer))
  }

  /** Sent soon, each of them. */
  push(line: FromAgent): void {
    this.#lines.push(line)
    void this.#flush()
  }

  /** Ends the stream: whoever is at its other end begins anew. */
  close(): void {
    this.#stream.close()
  }

  status(status: InstanceStatus): void {
    this.#statuses.set(status.id, status)
    this.#schedule()
  }

  /** Replaces one of the same type that still waits. */
  replace(line: Extract<FromAgent, { type: 'node' | 'gateway' }>): void {
    this.#latest.set(line.type, line)
    this.#schedule()
  }

  /** First of what is said of requests: from what the server counts on. */
  beginRequests(rows: readonly RequestRow[] | undefined, connections: readonly ConnectionRow[] = []): void {
    if (rows === undefined) return
    for (const part of partsOf(rows)) this.push({ type: 'requests', begins: true, rows: part })
    for (const part of partsOf(connections)) this.push({ type: 'requests', begins: true, rows: [], connections: part })
    this.requests([])
  }

  /** Counters that grow: of one row that has not been sent yet the last state is. */
  requests(rows: readonly RequestRow[], connections: readonly ConnectionRow[] = []): void {
    this.#requests ??= new Map()
    for (const row of connections) this.#connections.set(JSON.stringify([row.route, row.instance]), row)
    for (const row of rows) this.#requests.set(JSON.stringify([row.route, row.pool, row.instance]), row)
    this.#schedule()
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.#flush(), batchMs)
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing) return
    this.#writing = true
    try {
      for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
        await write(this.#stream, batch.map((line) => `${JSON.stringify(line)}\n`).join(''))
      }
    } finally {
      this.#writing = false
    }
  }

  #take(): FromAgent[] {
    if (this.#stream.destroyed) return []
    const batch = this.#lines.splice(0)
    const statuses = [...this.#statuses.values()]
    for (let from = 0; from < statuses.length; from += maxStatuses) {
      batch.push({ type: 'status', instances: statuses.slice(from, from + maxStatuses) })
    }
    batch.push(...this.#latest.values())
    if (this.#requests !== undefined) {
      for (const connections of partsOf([...this.#connections.values()]))
        batch.push({ type: 'requests', rows: [], connections })
      this.#connections.clear()
      const parts = partsOf([...this.#requests.values()])
      for (const rows of parts.length === 0 ? [[]] : parts) batch.push({ type: 'requests', rows })
      this.#requests = undefined
    }
    this.#statuses.clear()
    this.#latest.clear()
    return batch
  }
}

const partsOf = <Row>(rows: readonly Row[]): Row[][] =>
  Array.from({ length: Math.ceil(rows.length / maxRows) }, (_, part) =>
    rows.slice(part * maxRows, (part + 1) * maxRows),
  )
