import type { ServerHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'
import type { FromAgent } from '@berth/api'
import type { InstanceStatus } from '@berth/core'
import { expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import { maxStatuses, ReportStream } from './report-stream.ts'

/** Takes nothing in until it is told to. */
class SlowStream extends Duplex {
  readonly lines: FromAgent[] = []
  #take: (() => void) | undefined

  constructor() {
    super({ writableHighWaterMark: 1 })
    this.on('error', () => undefined)
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    for (const line of chunk.toString().trim().split('\n')) this.lines.push(JSON.parse(line))
    this.#take = done
  }

  get isWaiting(): boolean {
    return this.#take !== undefined
  }
}

const status = (id: string): InstanceStatus => ({ id, node: 'a', phase: 'running', ready: true, restarts: 0 })

it('does not end the agent when its link breaks while the server is slow', async () => {
  const stream = new SlowStream()
  const reports = new ReportStream(stream as unknown as ServerHttp2Stream)
  reports.push({ type: 'pong', at: 1 })
  await waitUntil('it to wait', () => stream.isWaiting)
  // A rejection that nobody takes would fail this test, as it would end the process.
  stream.destroy(new Error('read ECONNRESET'))
  await waitUntil('its end', () => stream.destroyed && stream.closed)
  reports.push({ type: 'pong', at: 2 })
  expect(stream.lines).toEqual([{ type: 'pong', at: 1 }])
})

it('tells of many instances in lines that a server takes, and only the last of each', async () => {
  const stream = new SlowStream()
  const reports = new ReportStream(stream as unknown as ServerHttp2Stream)
  const ids = Array.from({ length: maxStatuses + 10 }, (_, index) => `web-${index}`)
  for (const id of [...ids, ...ids]) reports.status(status(id))
  await waitUntil('them', () => stream.lines.length === 2)
  const sent = stream.lines.map((line) => (line.type === 'status' ? line.instances.length : 0))
  expect(sent).toEqual([maxStatuses, 10])
})
