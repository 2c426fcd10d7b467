import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { TLSSocket } from 'node:tls'
import { BerthError } from '@berth/core'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import type { LinkServices } from './link-services.ts'
import { serveLink } from './link-session.ts'

/** Takes the first piece of an archive and ends the connection, as a dockerd does whose disk is full. */
async function loadImage(archive: Readable): Promise<never> {
  const full = new Writable({ write: (_chunk, _encoding, done) => done(new Error('write EPIPE')) })
  await pipeline(archive, full).catch(() => undefined)
  throw new BerthError('engine.disk-full', 'load an image archive: no space left on device')
}

it('answers what Docker said of an archive that it stopped reading', async () => {
  const end = new AbortController()
  const port = createServer().listen(0, '127.0.0.1')
  await once(port, 'listening')
  const dialled = connect((port.address() as AddressInfo).port, '127.0.0.1')
  const [[accepted]] = await Promise.all([once(port, 'connection'), once(dialled, 'connect')])
  const services = { engine: { loadImage } } as unknown as LinkServices
  const serving = serveLink(dialled as TLSSocket, services, {
    ...{ log: pino({ level: 'silent' }), signal: end.signal },
    ping: { intervalMs: 60_000, timeoutMs: 60_000 },
  })
  const server = connectHttp2('http://agent', { createConnection: () => accepted })
  const upload = server.request({ ':method': 'PUT', ':path': '/v1/images' }, { endStream: false })
  const answered = once(upload, 'response')
  const sending = pipeline(
    Array.from({ length: 64 }, () => Buffer.alloc(65_536)),
    upload,
  ).catch(() => undefined)
  const [{ ':status': status }] = await answered
  const answer = (await upload.toArray()).join('')
  expect(status).toBe(507)
  expect(JSON.parse(answer)).toMatchObject({
    error: { code: 'engine.disk-full', message: expect.stringContaining('no space left') },
  })
  upload.close()
  await sending
  end.abort()
  await serving
  server.destroy()
  port.close()
})
