import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRequest } from '../authority/certificate-request.testing.ts'
import { eventually } from '../eventually.testing.ts'
import { ServerUnderTest } from '../server-under-test.testing.ts'

let server: ServerUnderTest
beforeAll(async () => {
  server = await ServerUnderTest.start()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const joinOver = async (token: string, name: string) => {
  const { requestPem } = await createRequest(name)
  const body = JSON.stringify({ token, name, address: '192.0.2.1', certificateRequestPem: requestPem })
  const headers = { 'content-type': 'application/json' }
  const answer = await server.ask({ method: 'POST', path: '/v1/nodes/join', headers, body })
  return { status: answer.status, body: JSON.parse(answer.text) }
}

it('lets a node in with a one-time token, over TLS and without another token, once', async () => {
  const { token, command } = await server.local.call('createJoinToken', { body: {} })
  expect(command).toContain(`BERTH_JOIN_TOKEN=${token} berth node join --server 127.0.0.1:`)
  const first = await joinOver(token, 'edge')
  expect(first).toMatchObject({ status: 200, body: { node: 'edge', agentPort: server.edge.agentPort } })
  expect(await joinOver(token, 'other')).toMatchObject({ status: 401, body: { error: { code: 'join.token-used' } } })
  expect(await joinOver('rubbish', 'other')).toMatchObject({
    status: 401,
    body: { error: { code: 'join.invalid-token' } },
  })
  const second = await server.local.call('createJoinToken', { body: {} })
  expect(await joinOver(second.token, 'edge')).toMatchObject({ status: 409, body: { error: { code: 'node.exists' } } })
  expect(server.logged.join('')).not.toContain(token.split('.')[0])
})

it('answers those who guess with 429 and how long to wait', async () => {
  const { token } = await server.local.call('createJoinToken', { body: {} })
  const wrong = `${'x'.repeat(32)}.${token.split('.')[1]}`
  const codes: string[] = []
  let answer = await joinOver(wrong, 'guess')
  for (let attempt = 0; answer.status !== 429 && attempt < 12; attempt += 1) {
    codes.push(answer.body.error.code)
    answer = await joinOver(wrong, 'guess')
  }
  expect(new Set(codes)).toEqual(new Set(['join.invalid-token']))
  expect(answer.body.error).toMatchObject({ code: 'join.too-many-failures', retryable: true })
  const raw = await server.ask({
    ...{ method: 'POST', path: '/v1/nodes/join', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ token, name: 'good', address: '192.0.2.1', certificateRequestPem: 'x' }),
  })
  expect(raw.status).toBe(429)
  expect(Number(raw.headers['retry-after'])).toBeGreaterThan(0)
  // The unix socket is this machine's own.
  await server.join('by-socket')
})

it('shows the node offline until its agent is there, online with it', async () => {
  await server.join('late')
  expect(await server.local.call('getNode', { params: { name: 'late' } })).toMatchObject({
    online: false,
    problems: ['its agent has not connected yet'],
  })
  await server.connect('late')
  await eventually(async () =>
    expect(await server.local.call('getNode', { params: { name: 'late' } })).toMatchObject({
      online: true,
      os: 'Debian 12',
    }),
  )
})

it('keeps a secret out of answers, logs and every file but in sealed form', async () => {
  const value = 'correct-horse-battery-staple'
  await server.local.call('createApp', { body: { name: 'shop' } })
  const token = await server.token('ann', 'deployer')
  const body = JSON.stringify({ value, environment: 'staging' })
  const headers = { 'content-type': 'application/json' }
  const set = await server.ask({ method: 'PUT', path: '/v1/apps/shop/secrets/KEY', token, headers, body })
  expect(JSON.parse(set.text)).toMatchObject({ app: 'shop', environment: 'staging', name: 'KEY', version: 1 })
  const list = await server.ask({ path: '/v1/apps/shop/secrets', token })
  expect(JSON.parse(list.text).items).toHaveLength(1)
  expect(set.text + list.text).not.toMatch(/correct|sealed/)
  expect(server.logged.join('')).not.toContain(value)
  await server.stop()
  const directory = join(server.directory, 'state/server')
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  expect(files.length).toBeGreaterThan(3)
  for (const file of files) {
    const bytes = await readFile(join(file.parentPath, file.name))
    expect(bytes.includes(value), file.name).toBe(false)
    expect(bytes.includes(Buffer.from(value).toString('base64').slice(0, 20)), file.name).toBe(false)
  }
  await server.run()
})

it('refuses to start without its key when there are secrets', async () => {
  await server.stop()
  const key = join(server.directory, 'state/server/secret.key')
  const content = await readFile(key)
  const { rm, writeFile } = await import('node:fs/promises')
  await rm(key)
  await expect(server.run()).rejects.toMatchObject({
    code: 'secrets.key-missing',
    message: expect.stringContaining(key),
  })
  await writeFile(key, Buffer.from(`${'B'.repeat(43)}=\n`), { mode: 0o600 })
  await expect(server.run()).rejects.toMatchObject({ code: 'secrets.cannot-open' })
  await writeFile(key, content, { mode: 0o600 })
  await server.run()
  expect((await server.local.list('listSecrets', { params: { app: 'shop' } })).items).toHaveLength(1)
})
