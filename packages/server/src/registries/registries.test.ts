import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createBuildAgents } from '../agents/build-agents.ts'
import { ImageRemovals } from '../images/image-removals.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { openSecretKey, type SecretKey } from '../secrets/secret-key.ts'
import { ServerUnderTest } from '../server-under-test.testing.ts'
import { Registries } from './registries.ts'

const admin = { actor: 'token:ann' }
const password = 'pull-password-of-the-test'

describe('logins at registries', () => {
  let directory: string
  let under: RecordsUnderTest
  let key: SecretKey
  let registries: Registries
  const logged: string[] = []
  const log = pino({}, { write: (line) => void logged.push(line) })

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-registries-'))
    under = await openTemporaryRecords()
    key = await openSecretKey(join(directory, 'secret.key'), { sealedValuesExist: false })
    registries = new Registries({ records: under.records, key, log })
  })
  afterEach(async () => {
    await under[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  it('are sealed, found by the image, and given for images of their host only', async () => {
    await registries.set({ host: 'https://Registry.Example.com/v2/', username: 'ann', password }, admin)
    await registries.set({ host: 'index.docker.io', username: 'hub', password: 'other' }, admin)
    expect(registries.loginFor('registry.example.com/team/app:1')).toEqual({
      ...{ host: 'registry.example.com', username: 'ann', password },
    })
    expect(registries.loginFor('node:26')).toMatchObject({ host: 'docker.io', username: 'hub' })
    for (const foreign of [
      'registry.example.com.evil.com/x',
      'registry.example.com:5000/x',
      'evil.com/registry.example.com/x',
    ])
      expect(registries.loginFor(foreign)).toBeUndefined()
    expect(JSON.stringify(under.state.registries.all())).not.toContain(password)
    expect(under.state.events.all().map(({ actor, type, message }) => [actor, type, message])).toContainEqual([
      ...['token:ann', 'registry.set', 'login ann for images of registry.example.com set'],
    ])
  })

  it('are replaced and removed', async () => {
    await registries.set({ host: 'r.example:5000', username: 'ann', password }, admin)
    expect(await registries.set({ host: 'r.example:5000', username: 'bob', password: 'new' }, admin)).toMatchObject({
      version: 2,
    })
    expect(registries.loginFor('r.example:5000/x')).toMatchObject({ username: 'bob', password: 'new' })
    await registries.remove('R.example:5000', admin)
    expect(registries.loginFor('r.example:5000/x')).toBeUndefined()
    await expect(registries.remove('r.example:5000', admin)).rejects.toMatchObject({ code: 'registry.not-found' })
  })

  it('do not open under another user or host, and then are left out, with an error in the log', async () => {
    const record = await registries.set({ host: 'r.example:5000', username: 'ann', password }, admin)
    await under.records.commit('system:test', (tx) => {
      tx.put('registries', { ...record, username: 'eve' })
      tx.put('registries', { ...record, host: 'evil.example' })
    })
    expect(registries.loginFor('r.example:5000/x')).toBeUndefined()
    expect(registries.loginFor('evil.example/x')).toBeUndefined()
    expect(logged.join('')).toContain('open the sealed value of registry r.example:5000 eve 1')
    expect(logged.join('')).not.toContain(password)
  })

  it('are looked at when the server starts: with another key it says so', async () => {
    registries.verifyKey()
    await registries.set({ host: 'r.example:5000', username: 'ann', password }, admin)
    registries.verifyKey()
    const other = await openSecretKey(join(directory, 'other.key'), { sealedValuesExist: false })
    const wrong = new Registries({ records: under.records, key: other, log })
    expect(() => wrong.verifyKey()).toThrow(expect.objectContaining({ code: 'secrets.cannot-open' }))
  })

  it.each([
    ['no host', { host: 'registry' }, 'registry.invalid-host'],
    ['a path', { host: 'r.example/team' }, 'registry.invalid-host'],
    ['no user', { username: '' }, 'registry.invalid-login'],
    ['a user with a colon', { username: 'a:b' }, 'registry.invalid-login'],
    ['a user with a line break', { username: 'a\nb' }, 'registry.invalid-login'],
    ['no password', { password: '' }, 'registry.invalid-login'],
    ['a book as a password', { password: 'x'.repeat(10_000) }, 'registry.invalid-login'],
  ])('are refused with %s', async (_, change, code) => {
    const login = { host: 'r.example', username: 'ann', password, ...change }
    const failure = await registries.set(login, admin).catch((error: Error) => error)
    expect(failure).toMatchObject({ code })
    expect((failure as Error).message).not.toContain(login.password === '' ? '\u0000' : login.password)
  })

  it('go with the order to pull, and with no other', async () => {
    await registries.set({ host: 'r.example:5000', username: 'ann', password }, admin)
    const asked: unknown[] = []
    const links = {
      resolveImage: async (...args: unknown[]) => {
        asked.push(args.slice(1).map((each) => ({ ...(each as object), signal: undefined })))
        return 'sha256:1'
      },
      hasImage: async (node: string, image: string, options: object) =>
        (await links.resolveImage(node, image, { ...options, pull: 'never' })) !== '',
    }
    const agents = createBuildAgents(links as never, under.state, new ImageRemovals(), registries)
    const { signal } = new AbortController()
    await agents.resolveImage('node-a', 'r.example:5000/base:1', { signal })
    await agents.resolveImage('node-a', 'debian:12', { signal, refresh: true })
    await agents.imageExists('node-a', 'r.example:5000/base:1', { signal })
    expect(asked.map((each) => (each as object[])[1])).toEqual([
      { pull: 'missing', login: { host: 'r.example:5000', username: 'ann', password } },
      { pull: 'always' },
      { pull: 'never' },
    ])
  })
})

describe('the API of logins', () => {
  let server: ServerUnderTest
  beforeAll(async () => {
    server = await ServerUnderTest.start()
  })
  afterAll(async () => await server[Symbol.asyncDispose]())

  it('never gives a password back; neither does a log or a file', async () => {
    const token = await server.token('boss', 'admin')
    const call = async (method: string, path: string, body?: object) =>
      await server.ask({
        ...{ method, path, token, headers: { 'content-type': 'application/json' } },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    const set = await call('PUT', '/v1/registries', { host: 'r.example:5000', username: 'ann', password })
    expect(JSON.parse(set.text)).toMatchObject({ host: 'r.example:5000', username: 'ann', version: 1 })
    const refused = await call('PUT', '/v1/registries', { host: 'x y', username: 'ann', password })
    expect(refused.status).toBe(400)
    const mistyped = await call('PUT', '/v1/registries', { host: 'r.example', user: 'ann', password })
    expect(mistyped.status).toBe(400)
    const list = await call('GET', '/v1/registries')
    expect(JSON.parse(list.text).items).toHaveLength(1)
    const events = await call('GET', '/v1/events')
    for (const { text } of [set, refused, mistyped, list, events]) {
      expect(text).not.toContain(password)
      expect(text).not.toContain('sealed')
    }
    expect(server.logged.join('')).not.toContain(password)
    await server.stop()
    const folder = join(server.directory, 'state/server')
    for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) expect((await readFile(join(file.parentPath, file.name))).includes(password)).toBe(false)
    }
    await server.run()
    const gone = await call('DELETE', '/v1/registries?host=r.example:5000')
    expect(JSON.parse(gone.text)).toEqual({ ok: true })
  })
})
