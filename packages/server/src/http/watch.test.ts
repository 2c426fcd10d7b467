import { PassThrough } from 'node:stream'
import type { AppView, WatchEvent } from '@berth/api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeStatus } from '../agents/agent-peer.testing.ts'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords } from '../records/open-records.testing.ts'
import { app } from '../records/sample-records.testing.ts'
import { ServerUnderTest } from '../server-under-test.testing.ts'
import { appListing } from './listings/record-listings.ts'
import { openWatch } from './watch-stream.ts'

let server: ServerUnderTest
let token: string
beforeEach(async () => {
  server = await ServerUnderTest.start()
  token = await server.token('ann', 'admin')
})
afterEach(async () => await server[Symbol.asyncDispose]())

interface Seen {
  readonly id: string | undefined
  readonly event: WatchEvent<AppView>
}

/** Reads server-sent events as they come, with their ids. */
async function watch(path: string, headers = {}) {
  const stop = new AbortController()
  const response = await server.open({ path, token, headers }, stop.signal)
  const seen: Seen[] = []
  let text = ''
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (text + chunk).split('\n\n')
    text = parts.pop() ?? ''
    for (const part of parts) {
      const data = /^data: (.*)$/m.exec(part)?.[1]
      if (data !== undefined) seen.push({ id: /^id: (.*)$/m.exec(part)?.[1], event: JSON.parse(data) })
    }
  })
  response.on('error', () => undefined)
  const names = () =>
    seen.flatMap(({ event }) =>
      event.type === 'put' ? [event.item.name] : event.type === 'delete' ? [`-${event.id}`] : [],
    )
  return {
    response,
    seen,
    names,
    lastId: () => seen.findLast((each) => each.id !== undefined)?.id ?? '',
    stop: () => stop.abort(),
  }
}

const create = async (name: string) => await server.local.call('createApp', { body: { name } })
const revision = async () => (await server.local.list('listApps')).revision

describe('a watch', () => {
  it('starts where the list ended and tells what comes', async () => {
    await create('one')
    const from = await revision()
    const apps = await watch(`/v1/apps?watch=true&revision=${from}`)
    expect(apps.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
    })
    await create('two')
    await eventually(() => expect(apps.names()).toEqual(['two']))
    expect(apps.seen[0]?.event).toMatchObject({ type: 'mark', revision: from })
    await eventually(() => expect(apps.seen.at(-1)?.event.type).toBe('mark'))
    apps.stop()
  })

  it('goes on at the last mark, over a restart of the server, without a gap', async () => {
    const apps = await watch('/v1/apps?watch=true')
    await create('one')
    await eventually(() => expect(apps.names()).toEqual(['one']))
    await eventually(() => expect(apps.seen.at(-1)?.event.type).toBe('mark'))
    const id = apps.lastId()
    apps.stop()
    await create('two')
    await server.stop()
    await server.run()
    await create('three')
    const again = await watch('/v1/apps?watch=true&revision=1', { 'last-event-id': id })
    await eventually(() => expect(again.names().sort()).toEqual(['three', 'two']))
    await create('four')
    await eventually(() => expect(again.names()).toContain('four'))
    again.stop()
  })

  it('tells of changes of what a view is made of, and of what goes', async () => {
    const peer = await server.connect('a')
    const nodes = await watch('/v1/nodes?watch=true')
    await peer.send({ type: 'node', node: nodeStatus('a', { problems: ['disk is slow'] }) })
    await eventually(() => expect(JSON.stringify(nodes.seen)).toContain('disk is slow'))
    await server.local.call('updateNode', {
      params: { name: 'a' },
      body: { schedulable: false, labels: { rack: 'r1' } },
    })
    await eventually(() => expect(JSON.stringify(nodes.seen.at(-2))).toContain('"rack":"r1"'))
    await server.local.call('removeNode', { params: { name: 'a' } })
    await eventually(() => expect(nodes.names()).toContain('-a'))
    nodes.stop()
  })

  it('shows events live and filtered, and none that retention removes', async () => {
    const events = await watch('/v1/events?watch=true&app=one')
    await create('two')
    await create('one')
    await server.local.call('setSecret', { params: { app: 'one', name: 'KEY' }, body: { value: 'hunter2' } })
    await eventually(() => expect(JSON.stringify(events.seen)).toContain('secret.set'))
    expect(JSON.stringify(events.seen)).not.toContain('app two')
    expect(JSON.stringify(events.seen)).not.toContain('hunter2')
    const { items } = await server.local.list('listEvents', { query: { limit: '2' } })
    expect(items.map((event) => event.type)).toEqual(['secret.set', 'app.created'])
    events.stop()
  })

  it('is ended, not cut, when the server stops', async () => {
    const apps = await watch('/v1/apps?watch=true')
    await eventually(() => expect(apps.seen.length).toBeGreaterThan(0))
    const ended = new Promise((resolve) => apps.response.once('close', resolve))
    await server.stop()
    await ended
    expect(apps.response.complete).toBe(true)
    await server.run()
  })
})

describe('openWatch', () => {
  const context = (state: Parameters<typeof appListing>[0]['state']) => ({
    state,
    traffic: {
      isInTraffic: () => false,
      gatewaysBehind: () => [],
      routes: () => [],
      portRoutes: () => [],
      subscribe: () => () => undefined,
    },
    isOnline: () => true,
    gateway: { host: 'x', httpPort: 80, httpsPort: 443 },
  })

  it('says that history is gone, so that its reader lists again', async () => {
    await using under = await openTemporaryRecords()
    for (const name of ['a', 'b', 'c']) await under.records.commit('system', (tx) => tx.put('apps', app(name)))
    await under.store.compact(under.state.revision)
    const { openState } = await import('../records/index.ts')
    await using state = await openState(under.store, { log: (await import('pino')).pino({ level: 'silent' }) })
    const options = { state, revision: 1, signal: AbortSignal.timeout(5_000) }
    await expect(openWatch(appListing(context(state)), options)).rejects.toMatchObject({ code: 'store.compacted' })
  })

  it('skips steps for a slow reader and never the last one', async () => {
    await using under = await openTemporaryRecords()
    const stop = new AbortController()
    const { state } = under
    const watch = await openWatch(appListing(context(state)), { state, revision: state.revision, signal: stop.signal })
    const output = new PassThrough({ highWaterMark: 100 })
    const running = watch.run(output)
    for (let i = 1; i <= 50; i += 1) {
      await under.records.commit('system', (tx) => tx.put('apps', { ...app('shop'), createdBy: `step ${i}` }))
    }
    let text = ''
    output.on('data', (chunk) => {
      text += chunk
    })
    await eventually(() => expect(text).toContain('step 50'))
    expect(text.split('"type":"put"').length).toBeLessThan(10)
    stop.abort()
    await running
  })
})
