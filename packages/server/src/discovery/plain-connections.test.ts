import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAuthority } from '../authority/authority.ts'
import { type Handle, Outgoing, type Reply } from './consul-exchange.ts'
import { ConsulListener } from './consul-listener.ts'

/** Says what it was asked; `/wait` only when told, and `/body` what it was sent. */
const waiting: Reply[] = []
let gone = 0
let tellingSince: number | undefined
const said = (text: string): Outgoing => new Outgoing(200, ['Content-Type', 'text/plain', 'X-Consul-Index', '7'], text)
const handle: Handle = (asked, reply) => {
  if (asked.url === '/wait') {
    waiting.push(reply)
    reply.onGone(() => {
      gone += 1
    })
  } else if (asked.method === 'PUT') {
    void (async () => {
      let body = ''
      for await (const chunk of asked.body) body += chunk
      reply.send(said(body))
    })()
  } else reply.send(said(`${asked.method} ${asked.url}`))
}

let listener: ConsulListener
let port: number
let socket: Socket
let text: string

beforeEach(async () => {
  waiting.length = 0
  gone = 0
  tellingSince = undefined
  listener = new ConsulListener(handle, () => tellingSince)
  port = await listener.listen({ host: '127.0.0.1', port: 0 })
  open(connect(port, '127.0.0.1'))
})
afterEach(async () => {
  socket.destroy()
  await listener[Symbol.asyncDispose]()
})

function open(made: Socket): void {
  text = ''
  socket = made.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
}

const get = (path: string, rest = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${rest}\r\n`
const bodies = (): string[] => text.split(/HTTP\/1\.1 200 OK\r\n(?:[!-~]+: .*\r\n)*\r\n/).slice(1)
const untilBodies = (...wanted: string[]) => expect.poll(bodies).toEqual(wanted)

describe('a connection', () => {
  it('asks one plain question after the other, and then anything else', async () => {
    socket.write(get('/a'))
    await untilBodies('GET /a')
    expect(listener.plain).toBe(1)
    socket.write(get('/b'))
    await untilBodies('GET /a', 'GET /b')
    socket.write('PUT /c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    await untilBodies('GET /a', 'GET /b', 'abc')
    expect(listener.plain).toBe(0)
    socket.write(get('/d'))
    await untilBodies('GET /a', 'GET /b', 'abc', 'GET /d')
  })

  it('may send a large body afterwards, which comes whole and in order', async () => {
    socket.write(get('/a'))
    await untilBodies('GET /a')
    const body = Array.from({ length: 60_000 }, (_, n) => n.toString(36)).join(' ')
    socket.write(`PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    await expect.poll(() => text.length).toBeGreaterThan(body.length)
    expect(bodies().at(-1)).toBe(body)
  })

  it('gets the same headers in both ways', async () => {
    socket.write(get('/a'))
    await untilBodies('GET /a')
    const plain = text
    text = ''
    socket.write(`${get('/a').slice(0, -4)}\r\nTE: trailers\r\n\r\n`)
    await untilBodies('GET /a')
    expect(listener.plain).toBe(0)
    const withoutTime = (answer: string): string => answer.replace(/\r\nDate: .*\r\n/, '\r\n')
    expect(withoutTime(text)).toBe(withoutTime(plain))
  })

  it('may send its question in parts, or several at once', async () => {
    socket.setNoDelay(true)
    socket.write('GET /a HTTP/1.1\r\nHo')
    await delay(30)
    socket.write(`st: a\r\n\r\n${get('/b')}${get('/c')}`)
    await untilBodies('GET /a', 'GET /b', 'GET /c')
  })

  it('gets answers in the order of its questions, also when the first waits', async () => {
    socket.write(get('/wait'))
    await expect.poll(() => waiting.length).toBe(1)
    socket.write(get('/b'))
    socket.write(`${get('/c')}PUT /d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`)
    await delay(30)
    expect(text).toBe('')
    waiting[0]?.send(said('waited'))
    waiting[0]?.send(said('never'))
    await untilBodies('waited', 'GET /b', 'GET /c', 'abc')
  })

  it('that was answered asks again after those who have no answer yet; others are not held up', async () => {
    socket.write(get('/a'))
    await untilBodies('GET /a')
    const other = connect(port, '127.0.0.1')
    const told = once(other, 'data')
    other.write(get('/other'))
    await told
    tellingSince = performance.now()
    socket.write(get('/b'))
    await untilBodies('GET /a', 'GET /b')
    socket.write(get('/c'))
    await delay(20)
    socket.write('PUT /d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    const toldToo = once(other, 'data')
    other.write(get('/other'))
    await toldToo
    other.destroy()
    await delay(30)
    expect(bodies()).toEqual(['GET /a', 'GET /b'])
    tellingSince = undefined
    await untilBodies('GET /a', 'GET /b', 'GET /c', 'abc')
  })

  it('that goes while it waits is told of, once', async () => {
    socket.write(get('/wait'))
    await expect.poll(() => waiting.length).toBe(1)
    socket.end()
    await expect.poll(() => gone).toBe(1)
    expect(waiting[0]?.isOver).toBe(true)
    waiting[0]?.send(said('never'))
    await expect.poll(() => socket.closed).toBe(true)
    expect(text).toBe('')
    expect(gone).toBe(1)
  })

  it('that talks nonsense is refused by node:http', async () => {
    socket.write('nonsense\r\n\r\n')
    await expect.poll(() => socket.closed).toBe(true)
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('by TLS is treated alike', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-plain-'))
    const keyPair = await (await openAuthority(directory)).serverCertificate(['localhost'])
    await rm(directory, { recursive: true })
    const tlsPort = await listener.listenTls({ host: '127.0.0.1', port: 0 }, keyPair)
    socket.destroy()
    open(connectTls({ port: tlsPort, host: '127.0.0.1', rejectUnauthorized: false }))
    socket.write(get('/a'))
    await untilBodies('GET /a')
    expect(listener.plain).toBe(1)
    socket.write('PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    await untilBodies('GET /a', 'abc')
  })

  it('without a call ends with the server, and one that waits when it is answered or a second is over', async () => {
    socket.write(get('/a'))
    await untilBodies('GET /a')
    const idle = once(socket, 'close')
    const other = connect(port, '127.0.0.1')
    other.write(get('/wait'))
    await expect.poll(() => waiting.length).toBe(1)
    const ended = once(other, 'close')
    await listener[Symbol.asyncDispose]()
    await Promise.all([idle, ended])
    await expect.poll(() => listener.plain).toBe(0)
  })
})
