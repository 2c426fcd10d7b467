import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { ProbeCheck } from '@berth/core'
import { BerthError } from '@berth/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { Engine, ExecSession } from '../engine/engine.ts'
import { createProbe } from './probe.ts'

let server: Server | undefined
afterEach(() => server?.close())

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  server = createServer((socket) => onConnection(socket.on('error', () => undefined)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const noEngine = {} as Engine
const options = { timeoutMs: 200, signal: new AbortController().signal }
const probe = (check: ProbeCheck, engine = noEngine) =>
  createProbe(engine)(check, { address: '127.0.0.1', containerId: 'c1' }, options)

describe('an http probe', () => {
  it.each([
    ['HTTP/1.1 200 OK\r\n\r\n', { type: 'success' }],
    ['HTTP/1.0 302 Found\r\nLocation: /x\r\n\r\n', { type: 'success' }],
    [
      'HTTP/1.1 503 Sorry\r\n\r\n',
      { type: 'failure', message: expect.stringMatching(/^GET http:.*\/healthz\?a=b answered 503$/) },
    ],
    ['SSH-2.0-OpenSSH\r\n', { type: 'failure', message: expect.stringContaining('no HTTP') }],
  ])('of %j', async (answer, expected) => {
    let asked = ''
    const port = await listen((socket) =>
      socket.on('data', (chunk) => {
        asked += chunk
        // In pieces, as a network may.
        for (const part of [answer.slice(0, 5), answer.slice(5)]) socket.write(part)
      }),
    )
    expect(await probe({ type: 'http', port, path: '/healthz?a=b', host: 'shop.example.com' })).toEqual(expected)
    expect(asked).toMatch(/^GET \/healthz\?a=b HTTP\/1\.1\r\nHost: shop\.example\.com\r\n/)
  })

  it.each([
    ['a silent server', () => undefined, 'gave no answer within 0.2 s'],
    ['one that hangs up', (socket: Socket) => socket.end(), 'closed the connection'],
    ['one that resets', (socket: Socket) => socket.resetAndDestroy(), 'closed the connection'],
  ])('of %s', async (_, onConnection, message) => {
    const port = await listen(onConnection)
    const result = await probe({ type: 'http', port, path: '/' })
    expect(result).toMatchObject({ type: 'failure', message: expect.stringContaining(message) })
  })

  it('does not let a path smuggle another request in', async () => {
    const result = await probe({ type: 'http', port: 1, path: '/x HTTP/1.1\r\nHost: y' })
    expect(result).toMatchObject({ type: 'failure', message: expect.stringContaining('cannot be asked') })
  })
})

describe('a tcp probe', () => {
  it('is satisfied with a connection', async () => {
    const port = await listen(() => undefined)
    expect(await probe({ type: 'tcp', port })).toEqual({ type: 'success' })
    server?.close()
    await once(server as Server, 'close')
    const message = `TCP 127.0.0.1:${port} refused the connection`
    expect(await probe({ type: 'tcp', port })).toEqual({ type: 'failure', message })
  })
})

describe('an exec probe', () => {
  const engineThat = (code: number, said = ''): Engine =>
    ({ exec: async () => session(code, said) }) as unknown as Engine
  const session = (code: number, said: string): ExecSession => ({
    output: (async function* () {
      yield { stream: 'stdout' as const, data: Buffer.from(said) }
    })(),
    write: async () => undefined,
    endInput: () => undefined,
    resize: async () => undefined,
    exitCode: async () => code,
    [Symbol.asyncDispose]: async () => undefined,
  })
  const check = { type: 'exec', command: ['pg_isready', '-q'] } as const

  it('goes by the exit code', async () => {
    expect(await probe(check, engineThat(0))).toEqual({ type: 'success' })
    const message = 'pg_isready -q exited with code 2: no | response'
    expect(await probe(check, engineThat(2, 'no\nresponse\n'))).toEqual({ type: 'failure', message })
  })

  it('says nothing about the instance when Docker does not answer', async () => {
    const down = { exec: () => Promise.reject(new BerthError('engine.unreachable', 'gone')) } as unknown as Engine
    expect(await probe(check, down)).toEqual({ type: 'inconclusive', message: 'gone' })
  })
})
