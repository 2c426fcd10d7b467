import type { ServerResponse } from 'node:http'
import type { WatchEvent } from '@berth/api/endpoint'
import type { EndpointName, LogLine } from '@berth/api/endpoints'
import type { InstanceView } from '@berth/api/instance-resources'
import { BerthError } from '@berth/core/model/berth-error'
import type { ListName } from '../src/store/list-keys.ts'
import type { Call } from './handlers.ts'
import { lateInOrder } from './late.ts'
import type { MockStore } from './mock-store.ts'
import { buildLines, serviceLine } from './streams.ts'

const filters = ['app', 'pool', 'node', 'entrypoint'] as const

const fits =
  ({ query, params }: Call) =>
  (item: unknown): boolean =>
    filters.every((name) => {
      const wanted = query[name] ?? params[name]
      return wanted === undefined || (item as Record<string, unknown>)[name] === wanted || isEventOf(item, name, wanted)
    })

/** Instances that have ended are listed where they are asked for. */
const isLiving =
  (name: ListName, { query }: Call) =>
  (item: unknown): boolean =>
    name !== 'listInstances' || query.all === 'true' || (item as InstanceView).phase !== 'ended'

const isEventOf = (item: unknown, name: string, wanted: string): boolean =>
  (item as { subject?: Record<string, string> }).subject?.[name] === wanted

export function sendList(store: MockStore, name: ListName, call: Call, response: ServerResponse): void {
  const items = (store.all(name) as unknown[]).filter(fits(call)).filter(isLiving(name, call))
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ items, revision: store.revision }))
}

export function watchList(store: MockStore, name: ListName, call: Call, response: ServerResponse): void {
  const revision = Number(call.query.revision ?? 0)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const send = (data: unknown, event?: string) =>
    response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`)
  if (revision < store.compactedAt) {
    const { code, message } = new BerthError('store.compacted', 'the revision is no longer kept; list again')
    send({ error: { code, message, retryable: true, details: {} } }, 'error')
    return void response.end()
  }
  send({ type: 'mark', revision: store.revision })
  const matches = fits(call)
  const change = lateInOrder((event: WatchEvent<unknown>) => {
    send(event)
    send({ type: 'mark', revision: event.revision })
  })
  const stop = store.follow(revision, ({ name: changed, event }) => {
    if (changed === name && (event.type !== 'put' || matches(event.item))) change(event)
  })
  response.once('close', stop)
}

export function followLines(store: MockStore, name: EndpointName, call: Call, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  const send = (line: LogLine) => response.write(`${JSON.stringify(line)}\n`)
  const stop =
    name === 'getBuildOutput' ? followBuild(store, call, send, () => response.end()) : followLogs(store, call, send)
  response.once('close', stop)
}

function followBuild(
  store: MockStore,
  { params: { id = '' } }: Call,
  send: (line: LogLine) => void,
  end: () => void,
): () => void {
  let at = 0
  const over = () => ['succeeded', 'failed', 'cancelled'].includes(store.get('listBuilds', id)?.state ?? 'failed')
  const next = () => {
    const [stream, line] = buildLines[at] ?? []
    if (stream !== undefined && line !== undefined) send({ at: Date.now(), stream, line })
    at += 1
  }
  if (over()) {
    while (at < buildLines.length) next()
    end()
    return () => undefined
  }
  const timer = setInterval(() => {
    next()
    if (over()) end()
  }, 250)
  return () => clearInterval(timer)
}

const writesAt = (
  { startedAt = Number.POSITIVE_INFINITY, endedAt = Number.POSITIVE_INFINITY }: InstanceView,
  at: number,
) => at >= startedAt && at <= endedAt

const startOf = ({ startedAt, createdAt }: InstanceView): number => startedAt ?? createdAt

function followLogs(store: MockStore, call: Call, send: (line: LogLine) => void): () => void {
  const { instance, sinceMs } = call.query
  const wanted = () =>
    store.all('listInstances').filter((each) => (instance === undefined ? fits(call)(each) : each.id === instance))
  const now = Date.now()
  const ended = wanted().filter(({ endedAt = now }) => endedAt < now - 60_000)
  const from = sinceMs === undefined ? Math.min(now - 60_000, ...ended.map(startOf)) : Number(sinceMs)
  // A job's run is short: none may fall between two steps.
  const step = wanted().some(({ type }) => type === 'job') ? 100 : 700
  const until = ended.length === 0 ? now : Math.max(...ended.map(({ endedAt = now }) => endedAt))
  for (let at = from; at < until; at += step)
    for (const each of wanted()) if (writesAt(each, at)) send(serviceLine(each, at))
  const timer = setInterval(() => {
    for (const each of wanted()) if (writesAt(each, Date.now())) send(serviceLine(each, Date.now()))
  }, 300)
  return () => clearInterval(timer)
}
