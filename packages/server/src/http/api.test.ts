import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { endpoints } from '@berth/api'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openAuthority, serverName } from '../authority/authority.ts'
import { fingerprintOf, normalFingerprint } from '../authority/certificate-checks.ts'
import { ServerUnderTest } from '../server-under-test.testing.ts'
import { directoryFiles } from './console-files.ts'
import { openApiDocument } from './openapi.ts'

const json = { 'content-type': 'application/json' }
let consoleDirectory: string
let server: ServerUnderTest
let admin: string

beforeAll(async () => {
  consoleDirectory = await mkdtemp(join(tmpdir(), 'berth-console-'))
  await writeFile(join(consoleDirectory, 'index.html'), '<title>Berth</title>')
  await writeFile(join(consoleDirectory, 'app.js'), 'start()')
  await writeFile(join(consoleDirectory, '..', 'berth-outside.js'), 'no')
  server = await ServerUnderTest.start({ console: directoryFiles(consoleDirectory) })
  await server.join('a')
  admin = await server.token('root', 'admin')
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(consoleDirectory, { recursive: true, force: true })
  await rm(join(tmpdir(), 'berth-outside.js'), { force: true })
})

const errorOf = (text: string) => JSON.parse(text).error as { code: string; message: string; details: object }

describe('OpenAPI', () => {
  it('is a valid document of version 3.1 that has every endpoint', async () => {
    const { text } = await server.ask({ path: '/v1/openapi.json' })
    const document = JSON.parse(text)
    const validator = new Validator()
    const result = await validator.validate(document)
    expect(result.errors ?? []).toEqual([])
    expect(validator.version).toBe('3.1')
    const ids = Object.values(document.paths).flatMap((path) =>
      Object.values(path as object).map((operation) => operation.operationId),
    )
    expect(ids).toEqual(expect.arrayContaining(Object.keys(endpoints)))
    expect(document).toEqual(JSON.parse(JSON.stringify(openApiDocument('0.1.0'))))
  })
})

describe('listeners', () => {
  it('keep the unix socket to its owner, who is an admin there', async () => {
    expect((await stat(server.edge.socketPath)).mode & 0o777).toBe(0o600)
    expect(await server.local.call('getStatus')).toMatchObject({ actor: `local:${process.getuid?.()}`, role: 'admin' })
  })

  it('show a certificate of the own authority, with it in the chain', async () => {
    const ca = server.authorityPem
    const socket = connect({ host: '127.0.0.1', port: server.edge.apiPort ?? 0, ca, servername: serverName })
    await once(socket, 'secureConnect')
    expect(socket.authorized).toBe(true)
    expect(socket.getPeerCertificate(true).issuerCertificate.subject.CN).toBe('Berth cluster authority')
    socket.destroy()
  })

  it('show the operator’s certificate, and to joining machines the own one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-operator-'))
    onTestFinished(async () => await rm(directory, { recursive: true, force: true }))
    const operator = await openAuthority(join(directory, 'ca'))
    const pair = await operator.serverCertificate(['berth.example.com'])
    const tls = { certificateFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') }
    await writeFile(tls.certificateFile, pair.certificatePem)
    await writeFile(tls.keyFile, pair.keyPem)
    await using other = new ServerUnderTest(join(directory, 'server'), { tls })
    await other.run()
    await other.join('a')
    const shown = async (servername: string) => {
      const socket = connect({
        host: '127.0.0.1',
        port: other.edge.apiPort ?? 0,
        servername,
        rejectUnauthorized: false,
      })
      await once(socket, 'secureConnect')
      const fingerprint = normalFingerprint(socket.getPeerCertificate(true).issuerCertificate.fingerprint256)
      socket.destroy()
      return fingerprint
    }
    expect(await shown('berth.example.com')).toBe(operator.fingerprint)
    expect(await shown(serverName)).toBe(fingerprintOf(other.authorityPem))
    await rm(tls.keyFile)
    await other.stop()
    await expect(other.run()).rejects.toMatchObject({ code: 'server.certificate-unreadable' })
    await writeFile(tls.keyFile, pair.keyPem)
    await other.run()
  })

  it('do not speak plain HTTP on the TLS port', async () => {
    await expect(fetch(`http://127.0.0.1:${server.edge.apiPort}/v1/version`)).rejects.toThrow()
  })

  it('refuse a second server on the same socket, and a port that is taken', async () => {
    const second = new ServerUnderTest(server.directory, {})
    await expect(second.run()).rejects.toMatchObject({ code: 'store.locked' })
    const elsewhere = await mkdtemp(join(tmpdir(), 'berth-second-'))
    const socketTaken = new ServerUnderTest(elsewhere, { runDir: join(server.directory, 'run') })
    await expect(socketTaken.run()).rejects.toMatchObject({ code: 'server.already-running' })
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const { port } = blocker.address() as { port: number }
    const portTaken = new ServerUnderTest(elsewhere, { listen: `127.0.0.1:${port}` })
    await expect(portTaken.run()).rejects.toMatchObject({
      code: 'server.cannot-listen',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
    const wrong = new ServerUnderTest(elsewhere, { listen: 'everywhere' })
    await expect(wrong.run()).rejects.toMatchObject({ code: 'server.invalid-listen' })
    blocker.close()
    await rm(elsewhere, { recursive: true, force: true })
  })

  it('replace a socket that a killed server left', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-stale-'))
    await using other = new ServerUnderTest(directory, {})
    await other.run()
    await other.stop()
    await writeFile(other.edge.socketPath, '')
    await other.run()
    const { now, ...rest } = await other.local.call('getVersion')
    expect(rest).toEqual({ version: '0.1.0', api: 'v1' })
    expect(Math.abs(Date.now() - (now ?? 0))).toBeLessThan(60_000)
  })
})

describe('tokens', () => {
  it.each([
    ['no such token', `Bearer berth_ci_${'0'.repeat(48)}`, 'auth.invalid-token'],
    ['rubbish', 'Bearer x', 'auth.invalid-token'],
    ['another scheme', 'Basic YTpi', 'auth.invalid-token'],
  ])('are refused: %s', async (_what, authorization, code) => {
    const answer = await server.ask({ path: '/v1/status', headers: { authorization } })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="berth"')
    expect(errorOf(answer.text).code).toBe(code)
  })

  it('work over verified TLS with the role and the actor of the token', async () => {
    const client = server.client(await server.token('deploys', 'deployer'))
    expect(await client.call('getStatus')).toMatchObject({ actor: 'token:deploys', role: 'deployer' })
    const app = await client.call('createApp', { body: { name: 'traced' } })
    expect(app.createdBy).toBe('token:deploys')
    const { items } = await client.list('listEvents', { query: { app: 'traced' } })
    expect(items).toMatchObject([{ type: 'app.created', actor: 'token:deploys' }])
  })

  it('end with their time and at once when they are revoked', async () => {
    const { token } = await server.local.call('createToken', {
      body: { name: 'short', owner: 'Ann', role: 'viewer', ttlMs: 1 },
    })
    const expired = await server.ask({ path: '/v1/status', token })
    expect(errorOf(expired.text).code).toBe('auth.token-expired')
    const other = await server.token('revoked', 'viewer')
    expect((await server.ask({ path: '/v1/status', token: other })).status).toBe(200)
    await server.local.call('removeToken', { params: { name: 'revoked' } })
    expect((await server.ask({ path: '/v1/status', token: other })).status).toBe(401)
  })

  it('are listed without their hashes', async () => {
    const { text } = await server.ask({ path: '/v1/tokens', token: admin })
    expect(JSON.parse(text).items.length).toBeGreaterThan(0)
    expect(text).not.toContain('hash')
  })
})

describe('bad calls', () => {
  it.each<[string, Parameters<ServerUnderTest['ask']>[0], number, string, string]>([
    ['an unknown address', { path: '/v1/nothing' }, 404, 'request.not-found', 'openapi'],
    ['an unknown method', { path: '/v1/status', method: 'DELETE' }, 404, 'request.not-found', 'DELETE'],
    ['no JSON', { method: 'POST', path: '/v1/apps', headers: json, body: '{' }, 400, 'request.invalid', 'JSON'],
    [
      'an unknown key',
      { method: 'POST', path: '/v1/apps', headers: json, body: '{"nam":"x"}' },
      400,
      'request.invalid',
      'did you mean name?',
    ],
    [
      'a prototype',
      { method: 'POST', path: '/v1/apps', headers: json, body: '{"name":"x","__proto__":{}}' },
      400,
      'request.invalid',
      '__proto__',
    ],
    ['an unknown query', { path: '/v1/builds?limt=3' }, 400, 'request.invalid', 'did you mean limit?'],
    ['a wrong number', { path: '/v1/builds?limit=x' }, 400, 'request.invalid', 'query.limit'],
    [
      'a form',
      {
        method: 'POST',
        path: '/v1/apps',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'a=b',
      },
      415,
      'request.unsupported-media-type',
      '',
    ],
    [
      'a large body',
      { method: 'POST', path: '/v1/apps', headers: json, body: `{"name":"${'x'.repeat(3_000_000)}"}` },
      413,
      'request.too-large',
      '',
    ],
    [
      'a name for a shell',
      { method: 'POST', path: '/v1/apps', headers: json, body: '{"name":"a;rm -rf /"}' },
      400,
      'name.invalid',
      'a-rm-rf',
    ],
    ['a path in a name', { path: '/v1/apps/..%2f..%2fetc' }, 400, 'request.invalid', 'app name "'],
    ['a shell in a path', { path: '/v1/instances/$(id)' }, 400, 'request.invalid', 'instance id "$(id)": begins with'],
    ['a line break in a path', { path: '/v1/apps/a%0ab' }, 400, 'request.invalid', 'app name "'],
    [
      'a secret’s name for a shell',
      { method: 'PUT', path: '/v1/apps/traced/secrets/A%60id%60', headers: json, body: '{"value":"x"}' },
      400,
      'request.invalid',
      'secret name "A`id`": begins with',
    ],
    ['an address that does not decode', { path: '/v1/apps/%zz' }, 400, 'request.invalid', '%zz'],
    ['no such app', { path: '/v1/apps/nope' }, 404, 'app.not-found', 'nope'],
    [
      'no such pool',
      { method: 'POST', path: '/v1/apps/nope/pools/x/restart', headers: json, body: '{}' },
      404,
      'app.not-found',
      'nope',
    ],
    [
      'an upload that is none',
      { method: 'PUT', path: '/v1/apps/shop/source', headers: json, body: '{}' },
      415,
      'request.unsupported-media-type',
      'octet-stream',
    ],
    ['logs of nothing', { path: '/v1/logs?instance=web-1' }, 404, 'instance.not-found', 'web-1'],
    ['a future revision', { path: '/v1/apps?watch=true&revision=99999' }, 410, 'store.future-revision', ''],
  ])('%s', async (_what, ask, status, code, says) => {
    const answer = await server.ask({ ...ask, token: admin })
    expect(errorOf(answer.text)).toMatchObject({ code, message: expect.stringContaining(says) })
    expect(answer.status).toBe(status)
  })

  it('tells every problem of a call at once', async () => {
    const body = '{"name":"x","owner":3,"rôle":"admin"}'
    const answer = await server.ask({ method: 'POST', path: '/v1/tokens', headers: json, body, token: admin })
    const { problems } = errorOf(answer.text).details as { problems: { path: string }[] }
    expect(problems.map((problem) => problem.path)).toEqual(['body.owner', 'body.role', 'body.rôle'])
  })

  it('answers an empty body of a call that needs none', async () => {
    const answer = await server.ask({ method: 'POST', path: '/v1/rollouts/r-1/pause', headers: json, token: admin })
    expect(errorOf(answer.text).code).toBe('rollout.not-found')
  })
})

it('names in paths may stand for all below a domain of one’s own, and for nothing else', async () => {
  const token = await server.token('names', 'admin')
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ addresses: ['192.0.2.20'] })
  const put = (path: string) => server.ask({ method: 'PUT', path, token, headers, body })
  for (const name of ['*.shop.corp.example', '%2A.shop.corp.example'])
    expect(JSON.parse((await put(`/v1/domains/${name}`)).text)).toMatchObject({ name: '*.shop.corp.example' })
  for (const name of ['*', '*.', '*.*.example', 'a.*.example', '*.a..example'])
    expect((await put(`/v1/domains/${name}`)).status).toBe(400)
  expect((await put('/v1/externals/*.shop')).status).toBe(400)
})

describe('the console', () => {
  it('is one page at every address that is not the API', async () => {
    for (const path of ['/', '/apps/shop', '/apps/shop?tab=logs']) {
      const answer = await server.ask({ path })
      expect(answer).toMatchObject({ status: 200, text: '<title>Berth</title>' })
      expect(answer.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': expect.stringContaining("default-src 'self'"),
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
      })
    }
    expect((await server.ask({ path: '/app.js' })).text).toBe('start()')
  })

  it.each(['/../berth-outside.js', '/%2e%2e/berth-outside.js', '/..%2fberth-outside.js', '/a.js%00', '/%zz.js'])(
    'gives nothing outside its folder: %s',
    async (path) => {
      const answer = await server.ask({ path })
      expect(answer.text).not.toBe('no')
      expect([200, 400, 404]).toContain(answer.status)
    },
  )

  it('says what is missing', async () => {
    const answer = await server.ask({ path: '/assets/gone.js' })
    expect(answer.status).toBe(404)
  })
})

describe('metrics', () => {
  it('are for Prometheus', async () => {
    const { text, headers } = await server.ask({ path: '/metrics', token: admin })
    expect(headers['content-type']).toContain('text/plain')
    expect(text).toMatch(/^berth_http_requests_total\{method="POST",route="\/v1\/tokens",status="200"\} \d+$/m)
    expect(text).toMatch(/^berth_node_online\{node="a"\} 0$/m)
    expect(text).toMatch(/^process_private_memory_bytes \d+$/m)
  })
})

describe('the log', () => {
  it('names the actor of every change and holds no token', async () => {
    const lines = server.logged.join('')
    expect(lines).toContain('"actor":"token:deploys","method":"POST","route":"/v1/apps"')
    expect(lines).not.toContain(admin)
    expect(lines).not.toMatch(/berth_[a-z]+_[0-9a-f]{48}/)
  })
})

describe('files', () => {
  it('are for their owner only', async () => {
    const state = join(server.directory, 'state', 'server')
    expect((await stat(state)).mode & 0o777).toBe(0o700)
    expect((await readFile(join(state, 'store.db'))).includes(admin)).toBe(false)
  })
})

it('tells all that was said of an authority for certificates but the account’s key', async () => {
  const client = server.client(admin)
  const said = { directoryUrl: 'https://acme.example/directory', email: 'ops@example.com', caPem: 'of our own' }
  await client.call('setAcme', { body: { ...said, termsOfServiceAgreed: true } })
  expect(await client.call('getAcme')).toEqual({ ...said, hosts: [] })
  await client.call('removeAcme')
  expect(await client.call('getAcme')).toEqual({ hosts: [] })
})

it('adds a failover address, says in the cluster’s status what is wrong with it, and removes it', async () => {
  const client = server.client(admin)
  const address = '2001:db8::10'
  const wanted = { body: { address, by: 'vrrp' as const } }
  await expect(client.call('addFailoverAddress', wanted)).rejects.toMatchObject({ code: 'failover.no-gateway' })
  await client.call('updateNode', { params: { name: 'a' }, body: { labels: { gateway: 'true' } } })
  expect(await client.call('addFailoverAddress', wanted)).toMatchObject({ address, by: 'vrrp', chosen: true })
  const { failover, problems = [] } = await client.call('getStatus')
  expect(failover).toEqual([{ address, heldBy: [] }])
  expect(problems).toContain(`failover address ${address}: nobody is known to have it: a: its agent is away`)
  expect(await client.call('getFailoverAddress', { params: { address: '2001:DB8::0:10' } })).toMatchObject({
    nodes: [{ name: 'a', state: 'away', preferred: true }],
  })
  await client.call('removeFailoverAddress', { params: { address } })
  expect((await client.call('getStatus')).failover).toBeUndefined()
})
