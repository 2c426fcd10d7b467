import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type TransportRequest } from '@berth/api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Failover } from './failover.ts'
import { type Endpoint, placeOf } from './transports.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

let directory: string
let servers: Server[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-failover-'))
  servers = []
})
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  rmSync(directory, { recursive: true })
})

const endpointOf = (name: string): Endpoint => ({ type: 'socket', path: join(directory, name) })

async function serve(name: string, answer: Answer): Promise<Endpoint> {
  const server = createServer(answer)
  servers.push(server)
  const endpoint = endpointOf(name)
  await once(server.listen(placeOf(endpoint)), 'listening')
  return endpoint
}

const says =
  (name: string): Answer =>
  (request, response) => {
    request.resume().once('end', () => response.setHeader('berth-revision', '7; epoch=e').end(JSON.stringify(name)))
  }

const refuses =
  (code: string, status = 503, retryable = true): Answer =>
  (request, response) => {
    const document = { error: { code, message: `${code}, sorry`, retryable, details: {} } }
    request.resume().once('end', () => response.writeHead(status).end(JSON.stringify(document)))
  }

/** The call arrives, its answer does not. */
const breaksOff: Answer = (request) => void request.resume().once('end', () => request.socket.destroy())

const read: TransportRequest = { method: 'GET', path: '/v1/status', headers: {} }
const write: TransportRequest = { method: 'POST', path: '/v1/apps', headers: {}, body: '{}' }

async function ask(failover: Failover, request: TransportRequest): Promise<string> {
  const { body } = await failover.transport(request)
  let text = ''
  for await (const chunk of body) text += Buffer.from(chunk).toString()
  return text
}

describe('several servers', () => {
  it('are asked one after the other while nobody is there; the one that answered is asked first from then on', async () => {
    const asked: string[] = []
    const endpoints = [endpointOf('nobody'), await serve('b', says('b')), await serve('c', says('c'))]
    const failover = new Failover({ endpoints, onAnswer: (endpoint) => asked.push(placeOf(endpoint)) })
    expect(await ask(failover, write)).toBe('"b"')
    expect(failover.endpoints.map(placeOf)).toEqual(
      [endpoints[1], endpoints[2], endpoints[0]].map((e) => placeOf(e as Endpoint)),
    )
    expect(asked).toEqual([placeOf(endpoints[1] as Endpoint)])
  })

  it('get a read again when its answer is lost, and a write only when it did not arrive', async () => {
    const endpoints = [await serve('a', breaksOff), await serve('b', says('b'))]
    expect(await ask(new Failover({ endpoints }), read)).toBe('"b"')
    await expect(ask(new Failover({ endpoints }), write)).rejects.toMatchObject({
      code: 'server.gone',
      retryable: true,
    })
  })

  it.each(['server.stopping', 'store.unavailable', 'state.behind', 'leadership.over', 'server.relay-failed'])(
    'get what one refuses with %s',
    async (code) => {
      const endpoints = [await serve('a', refuses(code)), await serve('b', says('b'))]
      expect(await ask(new Failover({ endpoints }), write)).toBe('"b"')
    },
  )

  it.each([
    ['app.not-found', 404, false],
    ['node.offline', 503, true],
    ['store.full', 503, false],
  ])('are not asked for another opinion about %s', async (code, status, retryable) => {
    const endpoints = [await serve('a', refuses(code, status, retryable)), await serve('b', says('b'))]
    const client = createClient(new Failover({ endpoints }).transport)
    await expect(client.call('getStatus')).rejects.toMatchObject({ code, message: `${code}, sorry` })
  })

  it('say of each why it could not answer', async () => {
    const failover = new Failover({ endpoints: [endpointOf('x'), await serve('a', refuses('store.unavailable'))] })
    const asking = createClient(failover.transport).call('getStatus')
    // The last one's refusal is an answer.
    await expect(asking).rejects.toMatchObject({ code: 'store.unavailable' })
    const none = new Failover({ endpoints: [endpointOf('x'), endpointOf('y')] })
    await expect(ask(none, read)).rejects.toThrow(/none of 2 servers could answer:\n.*\/x: .*\n.*\/y: /)
  })

  it('get an upload whole when the first is not there', async () => {
    const echo: Answer = (request, response) => void request.pipe(response)
    const endpoints = [endpointOf('nobody'), await serve('b', echo)]
    const body = (async function* () {
      yield Buffer.from('one ')
      yield Buffer.from('two')
    })()
    expect(await ask(new Failover({ endpoints }), { ...write, body })).toBe('one two')
  })

  it('do not get what its caller has given up', async () => {
    const endpoints = [await serve('a', () => undefined), await serve('b', says('b'))]
    const asking = ask(new Failover({ endpoints }), { ...read, signal: AbortSignal.timeout(200) })
    await expect(asking).rejects.toMatchObject({ name: 'TimeoutError' })
  })
})
