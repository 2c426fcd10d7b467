import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPlainRequest } from './plain-request.ts'

const read = (text: string) => readPlainRequest(Buffer.from(text, 'latin1'))

describe('a plain request', () => {
  it('is a whole GET, whatever it asks', () => {
    expect(
      read('GET /v1/kv/a?index=7 HTTP/1.1\r\nHost: a:80\r\nAccept:\t*/*\r\nConnection: Keep-Alive\r\nX-Empty:\r\n\r\n'),
    ).toEqual({
      url: '/v1/kv/a?index=7',
      headers: { host: 'a:80', accept: '*/*', connection: 'Keep-Alive', 'x-empty': '' },
    })
  })

  it.each([
    ['another method', 'PUT / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an older protocol', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'],
    ['a whole address', 'GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a blank in the address', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\nAccept: a\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n'],
    ['a body', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n'],
    ['a body in chunks', 'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a connection that ends', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
    ['an upgrade', 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n'],
    ['a blank before a colon', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\n'],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n'],
    ['a bare line feed', 'GET / HTTP/1.1\r\nHost: a\nContent-Length: 1\r\n\r\n'],
    ['a bare carriage return', 'GET / HTTP/1.1\r\nHost: a\rContent-Length: 1\r\n\r\n'],
    ['other letters', 'GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n'],
    ['half of one', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['two of them', 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['something behind it', 'GET / HTTP/1.1\r\nHost: a\r\n\r\nx'],
    ['too long a one', `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['nothing', ''],
  ])('is not %s', (_, text) => {
    expect(read(text)).toBeUndefined()
  })
})

describe('what is taken for a plain request', () => {
  let heard: IncomingMessage | undefined
  const server = createServer((request, response) => {
    heard = request
    response.end()
  })
  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
  })
  afterAll(() => {
    server.close()
    server.closeAllConnections()
  })

  /** As node:http reads it; undefined where it refuses it. */
  const asNodeReads = async (text: string): Promise<IncomingMessage | undefined> => {
    heard = undefined
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write(text, 'latin1')
    await once(socket, 'data')
    socket.destroy()
    return heard
  }

  it('is the same for node:http', async () => {
    const word = fc.constantFrom('Host', 'X-Consul-Token', 'a', 'GET', '/v1/kv/a', '?', 'HTTP/1.1', 'keep-alive', '0')
    const gap = fc.constantFrom(' ', '\t', ':', ': ', '\r', '\n', '\r\n', ',', '\x00', '\x80', '')
    const noise = fc.array(fc.oneof(word, gap), { maxLength: 6 }).map((parts) => parts.join(''))
    const line = fc.oneof(
      fc
        .tuple(fc.constantFrom('Accept', 'X-Consul-Token', 'Connection', 'Cookie', 'X'), noise)
        .map((two) => two.join(': ')),
      noise,
    )
    const request = fc
      .tuple(noise, fc.array(line, { maxLength: 4 }))
      .map(([path, lines]) => `GET /${path} HTTP/1.1\r\n${['Host: a', ...lines].join('\r\n')}\r\n\r\n`)
    let taken = 0
    await fc.assert(
      fc.asyncProperty(request, async (text) => {
        const plain = read(text)
        if (plain === undefined) return
        taken += 1
        const full = await asNodeReads(text)
        expect(full?.url).toBe(plain.url)
        expect({ ...full?.headers }).toEqual({ ...plain.headers })
      }),
      { numRuns: 400 },
    )
    expect(taken).toBeGreaterThan(20)
  })
})
