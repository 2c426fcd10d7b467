import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@berth/api/testing/free-ports.testing'
import type { Release } from '@berth/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { testSpec } from '../controllers/specs.testing.ts'
import type { State } from '../records/index.ts'
import { externalImages } from './external-images.ts'

const signal = new AbortController().signal
const user = { username: 'ann', password: 's3cret>>>???~~~ÿ' }
/** That user, by bcrypt. */
const users = 'ann:$2y$04$MgFEGZ3cf4v4EopLlTwnoeuUUOcxrR8tYjo59Jy1gQut1/9/ljn86\n'
const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

function stateOf(...images: readonly string[]): State {
  const releases = images.map((image, at) => ({
    ...{ app: 'shop', id: `v${at + 1}`, createdAt: at },
    spec: { ...testSpec({}), build: { type: 'image', image } },
  })) as unknown as Release[]
  return { apps: new Map([['shop', { name: 'shop' }]]), releases: { byApp: () => releases } } as unknown as State
}

const ask = (image: string, { login = user, last, timeoutMs }: Partial<Asked> = {}) =>
  externalImages(
    {
      ...{ state: stateOf(image), signal },
      loginFor: () => (login === null ? undefined : { host: image.split('/')[0] ?? '', ...login }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
    'shop',
    last,
  )

interface Asked {
  readonly login: typeof user | null
  readonly last: string
  readonly timeoutMs: number
}

describe('Debian’s docker-registry, which wants a login', () => {
  let host: string
  let folder: string
  let registry: ChildProcess
  const authorization = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`
  const call = (path: string, init: RequestInit = {}) =>
    fetch(new URL(path, `http://${host}`), { ...init, headers: { authorization, ...init.headers } })

  async function pushBlob(content: string): Promise<{ readonly digest: string; readonly size: number }> {
    const begun = await call('/v2/team/shop/blobs/uploads/', { method: 'POST' })
    const place = new URL(begun.headers.get('location') ?? '', `http://${host}`)
    place.searchParams.set('digest', sha256(content))
    const headers = { 'content-type': 'application/octet-stream' }
    const put = await fetch(place, { method: 'PUT', body: content, headers: { authorization, ...headers } })
    expect(put.status).toBe(201)
    return { digest: sha256(content), size: Buffer.byteLength(content) }
  }

  /** Its digest. */
  async function push(tag: string): Promise<string> {
    const mediaType = 'application/vnd.docker.distribution.manifest.v2+json'
    const config = {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      ...(await pushBlob(`{"tag":"${tag}"}`)),
    }
    const text = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] })
    const put = await call(`/v2/team/shop/manifests/${tag}`, {
      ...{ method: 'PUT', body: text },
      headers: { 'content-type': mediaType },
    })
    expect(put.status).toBe(201)
    return sha256(text)
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-external-'))
    host = `127.0.0.1:${await freePort()}`
    await writeFile(join(folder, 'users'), users)
    const config = {
      ...{ version: 0.1, log: { level: 'error', accesslog: { disabled: true } } },
      storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
      ...{ http: { addr: host }, auth: { htpasswd: { realm: 'test', path: join(folder, 'users') } } },
    }
    // JSON is YAML.
    await writeFile(join(folder, 'config.yml'), JSON.stringify(config))
    registry = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' })
    const until = Date.now() + 20_000
    for (;;) {
      const answer = await call('/v2/').catch(() => undefined)
      if (answer?.ok === true) break
      if (Date.now() > until) throw new Error('the registry does not answer')
      await delay(20)
    }
  }, 30_000)
  afterAll(async () => {
    const ended = registry.exitCode === null ? once(registry, 'exit') : undefined
    registry.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true })
  })

  it('says which tags there are, of which digests, and which releases are of them', async () => {
    const [first, second] = [await push('v1'), await push('v2')]
    const image = `${host}/team/shop`
    const state = stateOf(`${image}:v1`, `${image}@${second}`, `${image}:gone`)
    const answer = await externalImages({ state, signal, loginFor: () => ({ host, ...user }) }, 'shop', undefined)
    expect(answer).toEqual({
      ...{ host, repository: 'team/shop' },
      items: [
        { tag: 'v1', digest: first, releases: ['v1'] },
        { tag: 'v2', digest: second, releases: ['v2'] },
      ],
    })
    expect(await ask(`${image}:v1`, { last: 'v1' })).toMatchObject({ items: [{ tag: 'v2' }] })
  })

  it('names what to do about a wrong login, none, and a repository that there is not', async () => {
    const wrong = ask(`${host}/team/shop:v1`, { login: { ...user, password: 'wrong' } })
    await expect(wrong).rejects.toMatchObject({
      code: 'registry.login-needed',
      message: expect.stringContaining(`berth registry login ${host}`),
    })
    await expect(wrong).rejects.not.toThrow('wrong')
    await expect(ask(`${host}/team/shop:v1`, { login: null })).rejects.toMatchObject({ code: 'registry.login-needed' })
    await expect(ask(`${host}/none:1`)).rejects.toMatchObject({ code: 'registry.no-such-repository' })
  })
})

describe('a registry', () => {
  let server: Server | undefined
  afterEach(async () => {
    server?.closeAllConnections()
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)))
    server = undefined
  })

  async function serve(listener: RequestListener): Promise<string> {
    server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `127.0.0.1:${(server.address() as { port: number }).port}`
  }

  async function readAll(host: string): Promise<string[]> {
    const all: string[] = []
    let last: string | undefined
    do {
      const page = await ask(`${host}/team/shop:1`, last === undefined ? {} : { last })
      all.push(...page.items.map(({ tag, digest }) => `${tag} ${digest?.length}`))
      last = page.next
    } while (last !== undefined)
    return all
  }

  it('that works with tokens and pages is read to its end', async () => {
    const tags = Array.from({ length: 120 }, (_, at) => `t${String(at).padStart(3, '0')}`)
    const seen: string[] = []
    const host = await serve(({ url = '', headers, method }, response) => {
      const { pathname, searchParams } = new URL(url, `http://${headers.host}`)
      if (pathname === '/token') {
        seen.push(`${searchParams.get('service')} ${searchParams.get('scope')} ${headers.authorization?.slice(0, 6)}`)
        return response.end(JSON.stringify({ token: 'abc' }))
      }
      if (headers.authorization !== 'Bearer abc') {
        const challenge = `Bearer realm="http://${headers.host}/token",service="reg",scope="x"`
        return response.writeHead(401, { 'www-authenticate': challenge }).end()
      }
      if (method === 'HEAD') return response.writeHead(200, { 'docker-content-digest': sha256(pathname) }).end()
      const from = tags.indexOf(searchParams.get('last') ?? '') + 1
      const page = tags.slice(from, from + 50)
      const link = `</v2/team/shop/tags/list?last=${page.at(-1)}&n=50>; rel="next"`
      return response.writeHead(200, from + 50 < tags.length ? { link } : {}).end(JSON.stringify({ tags: page }))
    })
    expect(await readAll(host)).toEqual(tags.map((tag) => `${tag} 71`))
    expect(seen[0]).toBe('reg repository:team/shop:pull Basic ')
  })

  it('that tells all of its tags each time is read to its end too', async () => {
    const tags = Array.from({ length: 120 }, (_, at) => `t${at}`)
    const host = await serve(({ method }, response) => response.end(method === 'HEAD' ? '' : JSON.stringify({ tags })))
    expect(await readAll(host)).toEqual(tags.map((tag) => `${tag} undefined`))
  })

  it.each<[string, RequestListener, string, RegExp]>([
    ['hangs', () => undefined, 'registry.unreachable', /did not answer in time/],
    ['is none', (_, answer) => void answer.end('<html>'), 'registry.bad-answer', /is no JSON/],
    ['fails', (_, answer) => void answer.writeHead(500).end(), 'registry.bad-answer', /answers with 500/],
    [
      'leads elsewhere',
      (_, answer) => void answer.writeHead(302, { location: '/' }).end(),
      'registry.bad-answer',
      /302/,
    ],
    ['floods', (_, answer) => void answer.end(' '.repeat(3_000_000)), 'registry.bad-answer', /more than/],
    [
      'wants the password sent in clear',
      (_, answer) => void answer.writeHead(401, { 'www-authenticate': 'Bearer realm="http://10.0.0.1/t"' }).end(),
      'registry.bad-answer',
      /without TLS/,
    ],
  ])('that %s is told from others', async (_, listener, code, message) => {
    const host = await serve(listener)
    const asked = ask(`${host}/shop:1`, { timeoutMs: 700 })
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it('that nobody runs, and apps without such an image', async () => {
    await expect(ask(`127.0.0.1:${await freePort()}/shop:1`)).rejects.toMatchObject({ code: 'registry.unreachable' })
    const none = externalImages({ state: stateOf(), signal, loginFor: () => undefined }, 'shop', undefined)
    await expect(none).rejects.toMatchObject({ code: 'registry.no-image' })
  })
})
