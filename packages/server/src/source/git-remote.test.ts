import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSourceStore } from './create-source-store.ts'
import { GitRepository, Workspace } from './repositories.testing.ts'
import type { SourceStore } from './source-store.ts'

const password = 'p@ss/word:ü$'
const encoded = encodeURIComponent(password)
const logged: string[] = []
const log = pino({ level: 'trace' }, { write: (line) => logged.push(line) })

let space: Workspace
let store: SourceStore
let server: Server
let repo: GitRepository
let origin: string
let commandLines = ''

beforeAll(async () => {
  space = new Workspace()
  repo = new GitRepository(space.path('shop'))
  const [key, certificate] = [space.path('key.pem'), space.path('certificate.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...subject],
    { stdio: 'ignore' },
  )
  process.env.GIT_SSL_CAINFO = certificate
  server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, answer)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  origin = `127.0.0.1:${(server.address() as AddressInfo).port}`
  store = await createSourceStore({ dir: space.path('sources'), log, fetchTimeoutMs: 20_000 })
})

afterAll(() => {
  delete process.env.GIT_SSL_CAINFO
  server?.closeAllConnections()
  server?.close()
  space?.[Symbol.dispose]()
})

/** The smart HTTP protocol of git for one repository, behind a password. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  commandLines += allCommandLines()
  const url = new URL(request.url ?? '/', 'https://x')
  if (url.pathname.startsWith('/hang')) return
  if (url.pathname.startsWith('/missing')) return void response.writeHead(404).end()
  if (url.pathname.startsWith('/broken')) return void response.writeHead(502).end()
  const isAllowed = request.headers.authorization === `Basic ${Buffer.from(`ada:${password}`).toString('base64')}`
  if (!isAllowed) return void response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
  const isAdvertisement = url.pathname.endsWith('/info/refs')
  const kind = isAdvertisement ? 'advertisement' : 'result'
  response.writeHead(200, { 'content-type': `application/x-git-upload-pack-${kind}` })
  if (isAdvertisement) response.write('001e# service=git-upload-pack\n0000')
  const args = ['upload-pack', '--stateless-rpc', ...(isAdvertisement ? ['--advertise-refs'] : []), repo.dir]
  const git = spawn('git', args, { stdio: ['pipe', 'pipe', 'ignore'] })
  request.pipe(git.stdin)
  git.stdout.pipe(response)
}

const fetch = (repository: string, signal?: AbortSignal, ref = 'HEAD') =>
  store.fetch({ app: 'shop', repository, vcs: 'git', ref, signal })
const failure = (code: string) => expect.objectContaining({ code })

describe('git over https', () => {
  test('with a password, which shows up nowhere', async () => {
    const commit = await fetch(`https://ada:${encoded}@${origin}/shop.git`)
    expect(commit).toMatchObject({ subject: 'first', repository: `https://***@${origin}/shop.git` })
    const files = readdirSync(space.path('sources'), { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    )
    const kept = files.map((file) => readFileSync(join(file.parentPath, file.name), 'latin1')).join('\n')
    expect(kept).toContain('hooksPath')
    expect(commandLines).toContain('git')
    for (const secret of [password, encoded, 'word:', Buffer.from(`ada:${password}`).toString('base64')])
      for (const place of [kept, commandLines, JSON.stringify(commit), logged.join('')])
        expect(place).not.toContain(secret)
  })

  test('branches and tags are listed without fetching anything, tags by the commits that they name', async () => {
    repo.git('tag', '-a', 'v1', '-m', 'one')
    repo.git('tag', 'plain')
    repo.git('branch', 'release/1')
    const listed = await store.listRefs({
      app: 'listed',
      vcs: 'git',
      repository: `https://ada:${encoded}@${origin}/shop.git`,
    })
    const commit = repo.git('rev-parse', 'main')
    expect(Object.fromEntries(listed)).toEqual({
      'refs/heads/main': commit,
      'refs/heads/release/1': commit,
      'refs/tags/plain': commit,
      'refs/tags/v1': commit,
    })
    expect(readdirSync(space.path('sources', 'git'))).not.toContain('listed.git')
    const failed = await store
      .listRefs({ app: 'listed', vcs: 'git', repository: `https://ada:wrong-secret@${origin}/shop.git` })
      .catch((error) => error)
    expect(failed).toEqual(failure('source.auth-required'))
    expect(JSON.stringify([failed, failed.message])).not.toContain('wrong-secret')
    expect(commandLines).not.toContain('wrong-secret')
  })

  test.each<[string, string, string]>([
    ['no password', 'shop.git', 'source.auth-required'],
    ['a repository that is not there', 'missing.git', 'source.repository-not-found'],
    ['a server that is broken', 'broken.git', 'source.unreachable'],
  ])('%s', async (_, path, code) => {
    await expect(fetch(`https://${origin}/${path}`)).rejects.toEqual(failure(code))
  })

  test('a wrong password is not repeated in the error', async () => {
    const error = await fetch(`https://ada:wrong-secret@${origin}/shop.git`).catch((each) => each)
    expect(error).toEqual(failure('source.auth-required'))
    expect(error.message).toContain(`https://***@${origin}/shop.git`)
    expect(JSON.stringify([error, error.message, error.stack, String(error.cause)])).not.toContain('wrong-secret')
  })

  test('a port where nobody listens', async () => {
    const probe = createTcpServer()
    await once(probe.listen(0, '127.0.0.1'), 'listening')
    const { port } = probe.address() as AddressInfo
    await once(probe.close(), 'close')
    for (const url of [
      `https://127.0.0.1:${port}/x.git`,
      `git://127.0.0.1:${port}/x.git`,
      'https://no-such-host.invalid/x',
    ])
      await expect(fetch(url)).rejects.toEqual(failure('source.unreachable'))
  })

  test('a server that never answers: time limit and abort', async () => {
    const quick = await createSourceStore({ dir: space.path('quick'), log, fetchTimeoutMs: 500 })
    const repository = `https://${origin}/hang.git`
    await expect(quick.fetch({ app: 'shop', repository, vcs: 'git', ref: 'HEAD' })).rejects.toEqual(
      failure('source.timeout'),
    )
    const abort = new AbortController()
    const reason = new Error('no longer wanted')
    const both = Promise.allSettled([fetch(repository, abort.signal), fetch(repository, abort.signal)])
    await once(server, 'request')
    abort.abort(reason)
    expect(await both).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ])
    await expect.poll(() => allCommandLines().includes('hang.git')).toBe(false)
  })
})

describe('uploaded bundles', () => {
  const bundle = (...args: string[]): Readable => {
    const file = space.path('upload.bundle')
    repo.git('bundle', 'create', '--quiet', file, ...args)
    return createReadStream(file)
  }

  test('are a source like any other, and build on each other', async () => {
    const first = repo.git('rev-parse', 'HEAD')
    const { repository } = await store.acceptBundle('boat', bundle('HEAD', '--branches'))
    const ask = (ref: string) => store.fetch({ app: 'boat', repository, vcs: 'git', ref })
    expect((await ask('HEAD')).commit).toBe(first)
    const second = repo.commit({ a: '1' }, 'second')
    await store.acceptBundle('boat', bundle('HEAD', 'main', `^${first}`))
    expect((await ask('main')).commit).toBe(second)
    expect((await ask('HEAD')).commit).toBe(second)
    await expect(ask('nope')).rejects.toEqual(failure('source.commit-not-found'))
    expect(readdirSync(space.path('sources', 'uploads'))).toEqual([])
  })

  test.each<[string, () => Readable, string, RegExp]>([
    ['garbage', () => Readable.from([Buffer.from('hello')]), 'source.bundle-invalid', /the upload/],
    ['nothing', () => Readable.from([]), 'source.bundle-invalid', /the upload/],
    [
      'one with a missing base',
      () => bundle('HEAD', 'main', '^HEAD~1'),
      'source.bundle-invalid',
      /upload a complete one/,
    ],
  ])('%s is refused', async (_, make, code, message) => {
    await expect(store.acceptBundle('fresh', make())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
    expect(readdirSync(space.path('sources', 'uploads'))).toEqual([])
  })

  test('one that is too large, and one cut off half-way', async () => {
    const small = await createSourceStore({ dir: space.path('small'), log, maxBundleBytes: 100 })
    await expect(small.acceptBundle('shop', bundle('HEAD'))).rejects.toEqual(failure('source.bundle-too-large'))
    const file = space.path('upload.bundle')
    const cut = createReadStream(file, { end: statSync(file).size - 30 })
    await expect(store.acceptBundle('cut', cut)).rejects.toEqual(failure('source.bundle-invalid'))
  })

  test('of another app cannot be read', async () => {
    await expect(fetch('upload:boat')).rejects.toEqual(failure('source.bad-repository'))
  })
})

function allCommandLines(): string {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })
    .filter((line) => line.startsWith('git') || line.includes('git-remote'))
    .join('\n')
}
