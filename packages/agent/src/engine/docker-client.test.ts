import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compareVersions, DockerClient } from './docker-client.ts'

const directory = mkdtempSync(join(tmpdir(), 'berth-docker-client-'))
const socketPath = join(directory, 'docker.sock')
let server: Server
let requests: string[]
let api: string
let answer: RequestListener

beforeEach(async () => {
  requests = []
  api = '1.41'
  answer = (_, response) => response.end('{"fine":true}')
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (request.url === '/_ping') response.setHeader('Api-Version', api).end('OK')
    else answer(request, response)
  })
  await listen()
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  rmSync(socketPath, { force: true })
})

afterAll(() => rmSync(directory, { recursive: true }))

async function listen(): Promise<void> {
  server.listen(socketPath)
  await once(server, 'listening')
}

const client = (): DockerClient => new DockerClient(socketPath, pino({ level: 'silent' }))
const call = { action: 'do something', method: 'GET', path: '/things', timeoutMs: 200 } as const

describe('the version of the API', () => {
  it.each([
    ['1.41', '/v1.41/things'],
    ['1.44', '/v1.44/things'],
    ['1.55', '/v1.50/things'],
  ])('of a daemon with %s', async (version, path) => {
    api = version
    await using docker = client()
    expect(await docker.json(call)).toEqual({ fine: true })
    expect(requests).toEqual(['GET /_ping', `GET ${path}`])
  })

  it('is asked for once a connection, and again when the daemon was away', async () => {
    await using docker = client()
    await docker.json(call)
    await docker.json(call)
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    await expect(docker.json(call)).rejects.toMatchObject({ code: 'engine.unreachable' })
    api = '1.43'
    await listen()
    await docker.json(call)
    expect(requests).toEqual([
      'GET /_ping',
      'GET /v1.41/things',
      'GET /v1.41/things',
      'GET /_ping',
      'GET /v1.43/things',
    ])
  })

  it.each(['1.40', '', 'rubbish'])('of a daemon with %j is too old', async (version) => {
    api = version
    await using docker = client()
    await expect(docker.json(call)).rejects.toMatchObject({
      code: 'engine.too-old',
      message: expect.stringContaining('1.41'),
    })
  })

  it('is compared by numbers', () => {
    expect(compareVersions('1.9', '1.10')).toBeLessThan(0)
    expect(compareVersions('2.0', '1.99')).toBeGreaterThan(0)
    expect(compareVersions('1.41', '1.41')).toBe(0)
  })
})

describe('a call', () => {
  it('has an end although the daemon hangs', async () => {
    answer = () => undefined
    await using docker = client()
    const message = 'do something: Docker gave no answer within 0.2 s'
    await expect(docker.json(call)).rejects.toMatchObject({ code: 'engine.timeout', message })
  })

  it('has an end although the answer stops half-way', async () => {
    answer = (_, response) => response.write('{"half":')
    await using docker = client()
    await expect(docker.json(call)).rejects.toMatchObject({ code: 'engine.timeout' })
  })

  it('ends with its signal, and that is no failure of Docker', async () => {
    const abort = new AbortController()
    answer = () => abort.abort(new Error('enough'))
    await using docker = client()
    await expect(docker.json({ ...call, timeoutMs: 5_000, signal: abort.signal })).rejects.toThrow('enough')
  })

  it('says what Docker said', async () => {
    answer = (_, response) => response.writeHead(400).end('{"message":"invalid CPU quota"}')
    await using docker = client()
    const expected = { code: 'engine.rejected', message: 'do something: invalid CPU quota' }
    await expect(docker.json(call)).rejects.toMatchObject(expected)
  })

  it('finds no daemon', async () => {
    await using docker = new DockerClient('/no/such/docker.sock', pino({ level: 'silent' }))
    const message = expect.stringContaining('Docker at /no/such/docker.sock does not answer')
    await expect(docker.json(call)).rejects.toMatchObject({ code: 'engine.unreachable', message })
  })
})
