import { once } from 'node:events'
import type { WatchEvent } from '@berth/api'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { ServerUnderTest } from '../server-under-test.testing.ts'

let server: ServerUnderTest
let token: string
beforeAll(async () => {
  server = await ServerUnderTest.start()
  token = await server.token('reader', 'viewer')
})
afterAll(() => server[Symbol.asyncDispose]())

type Message = WatchEvent<{ readonly type: string; readonly subject: { readonly app?: string } }>

class Listener {
  readonly messages: Message[] = []
  readonly socket: WebSocket

  constructor(query: string) {
    this.socket = new WebSocket(`wss://127.0.0.1:${server.edge.apiPort}/v1/events/stream${query}`, {
      ...{ rejectUnauthorized: false, headers: { authorization: `Bearer ${token}` } },
    })
    this.socket.on('message', (data) => this.messages.push(JSON.parse(String(data))))
  }

  apps(): (string | undefined)[] {
    return this.messages.flatMap((each) => (each.type === 'put' ? [each.item.subject.app] : []))
  }

  /** Where to go on. */
  mark(): number {
    return this.messages.findLast((each) => each.type === 'mark')?.revision ?? 0
  }
}

const create = (name: string) => server.local.call('createApp', { body: { name, vcs: 'git' } })

it('tells events live, and after a break those that were missed', async () => {
  const first = new Listener('')
  await once(first.socket, 'open')
  await expect.poll(() => first.mark()).toBeGreaterThan(0)
  await create('one')
  await expect.poll(() => first.apps()).toEqual(['one'])
  await expect.poll(() => first.messages.at(-1)?.type).toBe('mark')
  first.socket.close()
  await create('two')
  await create('three')
  const second = new Listener(`?revision=${first.mark()}`)
  await expect.poll(() => second.apps()).toEqual(['two', 'three'])
  const filtered = new Listener(`?revision=${first.mark()}&app=three`)
  await expect.poll(() => filtered.apps()).toEqual(['three'])
  filtered.socket.close()
  const closed = once(second.socket, 'close')
  await server.stop()
  expect((await closed)[0]).toBe(1001)
  await server.run()
})
