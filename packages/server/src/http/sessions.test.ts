import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { ServerUnderTest } from '../server-under-test.testing.ts'

const json = { 'content-type': 'application/json' }
let server: ServerUnderTest
let token: string
let host: string
beforeAll(async () => {
  server = await ServerUnderTest.start()
  token = await server.token('ann', 'deployer')
  host = `127.0.0.1:${server.edge.apiPort}`
})
afterAll(async () => await server[Symbol.asyncDispose]())

const login = async (text = token, headers = {}) =>
  await server.ask({
    method: 'POST',
    path: '/v1/login',
    headers: { ...json, ...headers },
    body: JSON.stringify({ token: text }),
  })
const cookie = async (): Promise<string> => ((await login()).headers['set-cookie']?.[0] ?? '').split(';')[0] ?? ''

describe('logging in', () => {
  it('gives a cookie that scripts cannot read and other sites cannot use', async () => {
    const answer = await login(token, { origin: `https://${host}` })
    expect(answer).toMatchObject({ status: 200, text: '{"actor":"token:ann","role":"deployer"}' })
    const [text = ''] = answer.headers['set-cookie'] ?? []
    for (const part of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/', 'Max-Age=43200'])
      expect(text).toContain(part)
    expect(text).not.toContain(token)
  })

  it('is refused from a foreign page', async () => {
    expect((await login(token, { origin: 'https://evil.example' })).status).toBe(403)
    expect((await login(token, { origin: 'null' })).status).toBe(403)
  })

  it('ends with logging out', async () => {
    const answer = await server.ask({ method: 'POST', path: '/v1/logout', headers: json })
    expect(answer.headers['set-cookie']?.[0]).toContain('Max-Age=0')
  })

  it('is limited after failures, for that name and address', async () => {
    const wrong = `berth_guess_${'0'.repeat(48)}`
    const statuses: number[] = []
    for (let i = 0; i < 11; i += 1) statuses.push((await login(wrong)).status)
    expect(statuses).toEqual([...Array(10).fill(401), 429])
    const answer = await server.ask({ path: '/v1/status', token: wrong })
    expect(answer.status).toBe(429)
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    expect((await server.ask({ path: '/v1/status', token })).status).toBe(200)
  })
})

describe('an old session', () => {
  it('locks out its own browser only', async () => {
    const good = await cookie()
    const old = `berth_session=${Buffer.from('{}').toString('base64url')}.${'x'.repeat(43)}`
    const ask = async (value: string) => (await server.ask({ path: '/v1/status', headers: { cookie: value } })).status
    const statuses: number[] = []
    for (let i = 0; i < 11; i += 1) statuses.push(await ask(old))
    expect(statuses).toEqual([...Array(10).fill(401), 429])
    expect(await ask(good)).toBe(200)
  })
})

describe('a session', () => {
  it('reads anywhere in the console, and writes from its own page only', async () => {
    const session = await cookie()
    expect((await server.ask({ path: '/v1/status', headers: { cookie: session } })).text).toContain(
      '"actor":"token:ann"',
    )
    const write = async (name: string, headers: object) =>
      await server.ask({
        method: 'POST',
        path: '/v1/apps',
        headers: { ...json, cookie: session, ...headers },
        body: JSON.stringify({ name }),
      })
    expect((await write('a', {})).text).toContain('auth.foreign-origin')
    expect((await write('b', { origin: 'https://evil.example' })).text).toContain('auth.foreign-origin')
    expect((await write('c', { origin: `http://${host}.evil.example` })).status).toBe(403)
    expect((await write('d', { origin: `https://${host}` })).status).toBe(200)
    const { items } = await server.local.list('listApps')
    expect(items.map((app) => app.name)).toEqual(['d'])
  })

  it('opens no WebSocket for a foreign page', async () => {
    const session = await cookie()
    const open = async (origin: string) => {
      const socket = new WebSocket(`wss://${host}/v1/instances/shop.production.web-1/exec`, {
        rejectUnauthorized: false,
        origin,
        headers: { cookie: session },
      })
      const [response] = await Promise.race([
        once(socket, 'unexpected-response').then(([, answer]) => [answer.statusCode as number]),
        once(socket, 'open').then(() => [101]),
      ])
      socket.on('error', () => undefined)
      socket.terminate()
      return response
    }
    expect(await open('https://evil.example')).toBe(403)
    expect(await open(`https://${host}`)).toBe(101)
  })

  it('is nothing without the server’s signature', async () => {
    const answer = await server.ask({ path: '/v1/status', headers: { cookie: 'berth_session=e30.x' } })
    expect(answer).toMatchObject({ status: 401, text: expect.stringContaining('auth.invalid-session') })
  })

  it('outlives a restart of the server, and ends with its token', async () => {
    const session = await cookie()
    await server.stop()
    await server.run()
    const ask = async () => (await server.ask({ path: '/v1/status', headers: { cookie: session } })).status
    expect(await ask()).toBe(200)
    await server.local.call('removeToken', { params: { name: 'ann' } })
    expect(await ask()).toBe(401)
  })
})
