import { once } from 'node:events'
import { connect } from 'node:http2'
import { freePort } from '@berth/api/testing/free-ports.testing'
import type { Certificate, Route } from '@berth/core'
import { sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sampleCertificate } from './certificate.testing.ts'
import { fetchFrom, openGateway, openUpstream, type TestGateway, type Upstream } from './gateway.testing.ts'

let open: TestGateway
let member: Upstream
let httpsPort: number
let version = 0

beforeAll(async () => {
  httpsPort = await freePort()
  open = await openGateway({ httpsPort })
  member = await openUpstream((request, response) => {
    request.resume()
    response.end(JSON.stringify(request.headers))
  })
})
afterAll(async () => {
  await open[Symbol.asyncDispose]()
  await member[Symbol.asyncDispose]()
})

const apply = (routes: readonly Route[], certificates: readonly Certificate[] = []) =>
  open.gateway.apply(sampleTable(++version, routes, certificates))
const nameFor = async (servername: string) =>
  (await fetchFrom(httpsPort, '/', { host: servername, tls: { servername } })).certificateName

describe('the certificate', () => {
  test('is chosen by the name that the client asks for', async () => {
    const certificates = [
      await sampleCertificate('shop', ['shop.example.com', 'www.shop.example.com']),
      await sampleCertificate('wildcard', ['*.example.com']),
    ]
    await apply([sampleRoute([member.port], { host: '*' })], certificates)
    expect(await nameFor('shop.example.com')).toBe('shop')
    expect(await nameFor('SHOP.example.com')).toBe('shop')
    expect(await nameFor('www.shop.example.com')).toBe('shop')
    expect(await nameFor('blog.example.com')).toBe('wildcard')
    for (const name of ['example.com', 'a.b.example.com', 'other.org']) {
      expect(await nameFor(name)).toBe('Berth gateway: no certificate for this name')
    }
  })

  test('is found among thousands', async () => {
    const two = [await sampleCertificate('even', []), await sampleCertificate('odd', [])]
    const hosts = Array.from({ length: 3_000 }, (_, index) => `h${index}.many.example`)
    const certificates = hosts.map((host, index) => ({ ...two[index % 2]!, hosts: [host] }))
    await apply([sampleRoute([member.port], { host: '*' })], certificates)
    const names = await Promise.all([0, 1, 1_234, 2_999, 3_000].map((index) => nameFor(`h${index}.many.example`)))
    expect(names).toEqual(['even', 'odd', 'even', 'odd', 'Berth gateway: no certificate for this name'])
  })

  test('is replaced without a reload', async () => {
    const route = sampleRoute([member.port])
    await apply([route], [await sampleCertificate('old', ['shop.example.com'])])
    expect(await nameFor('shop.example.com')).toBe('old')
    await apply([route], [await sampleCertificate('new', ['shop.example.com'])])
    expect(await nameFor('shop.example.com')).toBe('new')
    expect((await open.gateway.status()).reloads).toBe(0)
  })

  test.each([
    [
      'of another key',
      async () => ({
        ...(await sampleCertificate('a', ['a.b'])),
        keyPem: (await sampleCertificate('b', ['a.b'])).keyPem,
      }),
      'does not belong to its key',
    ],
    [
      'that is none',
      async () => ({
        ...(await sampleCertificate('a', ['a.b'])),
        certificatePem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      }),
      'cannot be read',
    ],
  ])('%s is refused, and the table with it', async (_, make, reason) => {
    const before = (await open.gateway.status()).version
    await expect(apply([], [await make()])).rejects.toMatchObject({
      code: 'gateway.invalid-table',
      message: expect.stringContaining(reason),
    })
    expect((await open.gateway.status()).version).toBe(before)
  })
})

describe('what a route is served on', () => {
  test.each([
    ['off', 200, 404],
    ['on', 200, 200],
    ['redirect', 308, 200],
  ] as const)('tls %s: HTTP %i, HTTPS %i', async (tls, plain, secure) => {
    await apply([sampleRoute([member.port], { tls })])
    const overHttp = await open.fetch('/a?b=%20c')
    expect(overHttp.status).toBe(plain)
    expect(overHttp.headers.location).toBe(plain === 308 ? `https://shop.example.com:${httpsPort}/a?b=%20c` : undefined)
    const reply = await fetchFrom(httpsPort, '/', { tls: { servername: 'shop.example.com' } })
    expect(reply.status).toBe(secure)
    if (secure === 200) expect(JSON.parse(reply.body)).toMatchObject({ 'x-forwarded-proto': 'https' })
  })

  test('HTTP/2, many requests on one connection', async () => {
    await apply([sampleRoute([member.port])])
    const session = connect(`https://127.0.0.1:${httpsPort}`, {
      rejectUnauthorized: false,
      servername: 'shop.example.com',
    })
    try {
      const replies = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const stream = session.request({ ':authority': 'shop.example.com', ':path': '/' })
          const [headers] = await once(stream, 'response')
          let body = ''
          for await (const chunk of stream.setEncoding('utf8')) body += chunk
          return { status: headers[':status'], host: JSON.parse(body).host }
        }),
      )
      expect(session.alpnProtocol).toBe('h2')
      expect(replies).toEqual(replies.map(() => ({ status: 200, host: 'shop.example.com' })))
    } finally {
      session.close()
    }
  })
})
