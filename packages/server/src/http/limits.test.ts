import { once } from 'node:events'
import { request } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServerUnderTest } from '../server-under-test.testing.ts'

/** What those may do whom nobody knows, or trusts little. */
let server: ServerUnderTest
let viewer: string
let deployer: string
let admin: string
beforeAll(async () => {
  server = await ServerUnderTest.start()
  viewer = await server.token('vi', 'viewer')
  deployer = await server.token('dee', 'deployer')
  admin = await server.token('ad', 'admin')
})
afterAll(async () => await server[Symbol.asyncDispose]())

const json = { 'content-type': 'application/json' }
const post = async (path: string, token: string, body: object, method = 'POST') => {
  const answer = await server.ask({ method, path, token, headers: json, body: JSON.stringify(body) })
  return { status: answer.status, ...JSON.parse(answer.text) }
}

describe('a stranger', () => {
  it.concurrent.each(['/v1/nodes/join', '/v1/login'])(
    'cannot hold a connection by a body that never ends: %s',
    async (path) => {
      const socket = connect({ host: '127.0.0.1', port: server.edge.apiPort ?? 0, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const startedAt = performance.now()
      socket.on('error', () => undefined)
      socket
        .resume()
        .write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`)
      await once(socket, 'close')
      expect(performance.now() - startedAt).toBeLessThan(28_000)
      expect(server.logged.join('')).not.toContain('"level":60')
    },
  )

  it('cannot send much', async () => {
    const body = JSON.stringify({ token: 'x'.repeat(100_000) })
    for (const path of ['/v1/nodes/join', '/v1/login']) {
      expect((await server.ask({ method: 'POST', path, headers: json, body })).status).toBe(413)
    }
  })

  it('cannot open as many streams as it likes on one connection', async () => {
    const session = connectHttp2(`https://127.0.0.1:${server.edge.apiPort}`, { rejectUnauthorized: false })
    const [settings] = (await once(session, 'remoteSettings')) as [{ maxConcurrentStreams: number }]
    expect(settings.maxConcurrentStreams).toBe(250)
    session.destroy()
  })
})

describe('counts', () => {
  it('beyond what a pool may have are refused before anything is reckoned', async () => {
    await post('/v1/apps', deployer, { name: 'shop' })
    for (const [path, body] of [
      ['/v1/apps/shop/pools/production/scale', { replicas: { web: 10_001 } }],
      ['/v1/apps/shop/plan', { pool: 'production', replicas: { web: 4e9 } }],
      ['/v1/apps/shop/pools/production/scale', { replicas: { web: 1.5 } }],
      [
        '/v1/apps/shop/plan',
        { pool: 'production', with: Array(3).fill({ count: 10_000, cpuMilli: 1, memoryBytes: 1 }) },
      ],
    ] as const) {
      expect(await post(path, deployer, body)).toMatchObject({ status: 400, error: { code: 'request.invalid' } })
    }
  })
})

describe('a repository', () => {
  const plan = (token: string, repository: string, vcs?: 'svn') =>
    post('/v1/apps/shop/plan', token, { pool: 'production', repository, ...(vcs === undefined ? {} : { vcs }) })

  it('is named by deployers, not by who may only look', async () => {
    const answer = await plan(viewer, 'https://127.0.0.1:1/x.git')
    expect(answer).toMatchObject({ status: 403, error: { code: 'auth.forbidden' } })
    expect((await plan(deployer, 'https://127.0.0.1:1/x.git')).error.code).toBe('source.unreachable')
  })

  it.each([
    ['a path', '/root/private', undefined],
    ['a file URL', 'file:///root/private', undefined],
    ['a path for svn', '/root/private', 'svn' as const],
  ])('on the server’s own disk, as %s, is named by an admin only', async (_, repository, vcs) => {
    const given = { repository, ...(vcs === undefined ? {} : { vcs }) }
    const calls = [
      post('/v1/apps/shop/plan', deployer, { pool: 'production', ...given }),
      post('/v1/apps/shop/deploys', deployer, { pool: 'production', ...given }),
      post('/v1/apps/shop/builds', deployer, given),
      post('/v1/apps', deployer, { name: 'other', ...given }),
    ]
    for (const answer of await Promise.all(calls)) {
      expect(answer).toMatchObject({ status: 403, error: { code: 'source.path-needs-admin' } })
    }
    expect((await plan(admin, repository, vcs)).error.code).toBe('source.repository-not-found')
  })

  it('that an admin has registered is built by deployers', async () => {
    await post('/v1/apps', admin, { name: 'local', repository: '/nowhere/local.git' })
    const answer = await post('/v1/apps/local/builds', deployer, { repository: '/nowhere/local.git' })
    expect(answer).toMatchObject({ status: 200, app: 'local' })
  })
})

describe('a caller of the unix socket', () => {
  it('is held to the same bodies', async () => {
    const call = request({ socketPath: server.edge.socketPath, method: 'POST', path: '/v1/apps', headers: json })
    // The answer comes before the body is through.
    call.on('error', () => undefined)
    call.end(JSON.stringify({ name: 'x', repository: 'x'.repeat(3_000_000) }))
    const [response] = await once(call, 'response')
    expect(response.statusCode).toBe(413)
    response.resume()
  })
})
