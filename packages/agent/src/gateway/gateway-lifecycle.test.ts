import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { BerthError } from '@berth/core'
import { sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  acceptEcho,
  echoBody,
  eventually,
  openGateway,
  openUpstream,
  openWebsocket,
  readText,
  type TestGateway,
} from './gateway.testing.ts'
import { createNginxGateway } from './nginx-gateway.ts'
import { decodeDump, decodeTable } from './table-text.ts'

const errorOf = async (promise: Promise<unknown>): Promise<BerthError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof BerthError)) throw new Error(`expected a BerthError, got ${String(error)}`)
  return error
}
const again = (open: TestGateway, given = {}) => createNginxGateway({ ...open.options, ...given })
const pidOf = async (open: TestGateway) => (await open.gateway.status()).pid
const childrenOf = async (pid: number) =>
  (await readText(`/proc/${pid}/task/${pid}/children`)).trim().split(' ').filter(Boolean).map(Number)
const isAlive = async (pid: number) =>
  (await readText(`/proc/${pid}/stat`)).split(' ')[2] !== undefined &&
  !(await readText(`/proc/${pid}/stat`)).includes(') Z ')

describe('nginx is not the agent’s', () => {
  test('closing leaves it running; the next agent adopts it as it is, and knows its table', async () => {
    await using open = await openGateway()
    await using member = await openUpstream()
    const route = sampleRoute([member.port])
    await open.gateway.apply(sampleTable(5, [route]))
    const pid = await pidOf(open)
    await open.gateway[Symbol.asyncDispose]()
    expect((await open.fetch('/')).status).toBe(200)

    await using next = again(open)
    await next.start()
    expect(await next.status()).toMatchObject({ running: true, pid, version: 5, reloads: 0 })
    expect(await errorOf(next.apply(sampleTable(4, [])))).toMatchObject({ code: 'gateway.stale-table' })
    await next.apply(sampleTable(6, [{ ...route, targets: [] }]))
    expect((await next.status()).keptRoutes).toEqual([route.id])
    expect((await open.fetch('/')).body).toBe(String(member.port))
  })

  test('traffic goes on when the agent is killed', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'berth-gateway-'))
    await chmod(stateDir, 0o711)
    await using member = await openUpstream()
    const options = {
      stateDir: join(stateDir, 'gateway'),
      httpPort: await freePort(),
      listenAddress: '127.0.0.1',
      workers: 1,
    }
    const program = `
      const { createNginxGateway } = await import(${JSON.stringify(join(import.meta.dirname, 'nginx-gateway.ts'))})
      const { pino } = await import('pino')
      const gateway = createNginxGateway({ ...${JSON.stringify(options)}, log: pino({ level: 'silent' }) })
      await gateway.start()
      await gateway.apply(${JSON.stringify(sampleTable(1, [sampleRoute([member.port])]))})
      console.log('applied')
      setInterval(() => {}, 1000)`
    const agent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await using gateway = createNginxGateway({ ...options, log: pino({ level: 'silent' }) })
    try {
      await once(agent.stdout, 'data')
      agent.kill('SIGKILL')
      await once(agent, 'exit')
      const reply = await fetch(`http://127.0.0.1:${options.httpPort}/`, { headers: {} })
      expect(reply.status).toBe(404)
      const { pid, version } = await gateway.status()
      expect(version).toBe(1)
      const [, , , parent, , session] = (await readText(`/proc/${pid}/stat`)).replace(/\(.*\)/, '()').split(' ')
      expect(parent).not.toBe(String(agent.pid))
      expect(session).not.toBe((await readText(`/proc/${process.pid}/stat`)).replace(/\(.*\)/, '()').split(' ')[5])
    } finally {
      agent.kill('SIGKILL')
      await gateway.stop({ graceMs: 0 })
      await rm(stateDir, { recursive: true, force: true })
    }
  })

  test('changed options are read by one reload; connections and table stay', async () => {
    await using open = await openGateway()
    await using member = await openUpstream()
    await open.gateway.apply(sampleTable(1, [sampleRoute([member.port])]))
    const pid = await pidOf(open)
    const httpPort = await freePort()
    await using changed = again(open, { httpPort, workers: 1 })
    await changed.start()
    expect(await changed.status()).toMatchObject({ pid, version: 1, reloads: 1, workers: 1 })
    expect((await fetch(`http://127.0.0.1:${httpPort}/`)).status).toBe(404)
    await changed.apply(sampleTable(2, [sampleRoute([member.port], { host: '*' })]))
    expect((await fetch(`http://127.0.0.1:${httpPort}/`)).status).toBe(200)
    await changed.start()
    expect((await changed.status()).reloads).toBe(1)
  })

  test('a reload cuts no websocket: it lives on, is counted as in flight, and ends at the bound', async () => {
    await using open = await openGateway()
    await using member = await openUpstream(undefined, { upgrade: acceptEcho })
    const key = `127.0.0.1:${member.port}`
    const inflight = async () => (await open.gateway.status()).inflight[key]
    await open.gateway.apply(sampleTable(1, [sampleRoute([member.port])]))
    await using first = await openWebsocket(open.options.httpPort)
    expect(await first.echo('before')).toBe('before')
    await using changed = again(open, { keepalive: 100, oldWorkersSeconds: 2 })
    await changed.start()
    expect(await changed.status()).toMatchObject({ reloads: 1, inflight: { [key]: 1 } })
    expect(await first.echo('after')).toBe('after')
    // Also when the member has left the table: it must not be stopped yet.
    await using other = await openUpstream()
    await changed.apply(sampleTable(2, [sampleRoute([other.port])]))
    expect([await inflight(), await first.echo('still')]).toEqual([1, 'still'])
    await first[Symbol.asyncDispose]()
    await eventually(async () => (await inflight()) === 0 || (await inflight()) === undefined)

    await changed.apply(sampleTable(3, [sampleRoute([member.port])]))
    await using second = await openWebsocket(open.options.httpPort)
    await using last = again(open, { keepalive: 200, oldWorkersSeconds: 2 })
    const at = performance.now()
    await last.start()
    expect(await second.echo('after')).toBe('after')
    await second.closed
    const lived = performance.now() - at
    expect([lived > 1_500, lived < 8_000]).toEqual([true, true])
    await eventually(async () => ((await inflight()) ?? 0) === 0)
    expect(await last.status()).toMatchObject({ reloads: 2, running: true })
    expect((await open.fetch('/')).status).toBe(200)
  })

  test('options that nginx cannot take leave the old ones in force', async () => {
    await using open = await openGateway()
    await using changed = again(open, { listenAddress: '999.1.1.1' })
    expect(await errorOf(changed.start())).toMatchObject({
      code: 'gateway.configuration-refused',
      message: expect.stringContaining('999.1.1.1'),
    })
    expect((await open.fetch('/')).status).toBe(404)
    await open.gateway.start()
    expect((await open.gateway.status()).reloads).toBe(0)
  })
})

describe('starting alone', () => {
  /** As init or a person would, with nobody of Berth there. */
  const startByHand = ({ options }: TestGateway) =>
    execFileSync('nginx', ['-p', options.stateDir, '-c', `${options.stateDir}/private/nginx.conf`], { stdio: 'ignore' })

  test('nginx serves the last applied table from its dump', async () => {
    await using open = await openGateway()
    await using member = await openUpstream()
    await open.gateway.apply(sampleTable(1, [sampleRoute([])]))
    await open.gateway.apply(sampleTable(2, [sampleRoute([member.port])]))
    await open.gateway.stop()
    expect(await open.gateway.status()).toMatchObject({ running: false, version: 0 })
    startByHand(open)
    await eventually(async () => (await open.gateway.status()).version === 2)
    expect((await open.fetch('/')).body).toBe(String(member.port))
    await open.gateway.start()
    await open.gateway.apply(sampleTable(3, [{ ...sampleRoute([]) }]))
    expect((await open.fetch('/')).body).toBe(String(member.port))
  })

  test.each([
    ['flipped', (dump: string) => dump.replace('shop.example.com', 'shop.example.org')],
    ['cut', (dump: string) => dump.slice(0, -20)],
    ['empty', () => ''],
    ['foreign', () => '{"routes": []}\n'],
  ])('a dump that is %s is not believed; the next table heals it', async (_, damage) => {
    await using open = await openGateway()
    await using member = await openUpstream()
    const table = sampleTable(1, [sampleRoute([member.port])])
    await open.gateway.apply(table)
    await open.gateway.stop()
    const dump = `${open.options.stateDir}/private/table.dump`
    await writeFile(dump, damage(await readText(dump)))
    await open.gateway.start()
    expect((await open.fetch('/')).status).toBe(404)
    expect(await readText(`${open.options.stateDir}/logs/error.log`)).toMatch(/table\.dump is (damaged|no dump)/)
    await open.gateway.apply(table)
    expect((await open.fetch('/')).status).toBe(200)
  })

  test('a dump that cannot be written stops no traffic', async () => {
    await using open = await openGateway()
    await using member = await openUpstream()
    await mkdir(`${open.options.stateDir}/private/table.dump/in-the-way`, { recursive: true })
    await open.gateway.apply(sampleTable(1, [sampleRoute([member.port])]))
    expect((await open.fetch('/')).status).toBe(200)
    await eventually(() => open.logged.some(({ msg }) => msg === 'the table could not be kept on disk'))
  })

  const dumped = async ({ options }: TestGateway) =>
    decodeTable(decodeDump(await readText(`${options.stateDir}/private/table.dump`)) ?? '')?.table.version
  const killAll = async (open: TestGateway) => {
    const master = await pidOf(open)
    const pids = [master, ...(await childrenOf(master))]
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await eventually(async () => !(await open.gateway.status()).running)
  }

  test('an agent that was killed before it wrote: the next one has what nginx has, and writes that', async () => {
    await using open = await openGateway({ dumpAfterMs: 600_000 })
    await using member = await openUpstream()
    await open.gateway.apply(sampleTable(3, [sampleRoute([member.port])]))
    expect(await dumped(open)).toBeUndefined()
    const { dumpAfterMs: _, ...options } = open.options
    await using next = createNginxGateway(options)
    await next.start()
    await eventually(async () => (await dumped(open)) === 3)
  })

  test('nginx and an agent that had not written end together: the table before serves, and any later one follows', async () => {
    await using open = await openGateway({ dumpAfterMs: 600_000 })
    await using first = await openUpstream()
    await using second = await openUpstream()
    // What a person has forced is on disk when it is in force.
    await open.gateway.apply(sampleTable(1, [sampleRoute([first.port])]), { force: true })
    expect(await dumped(open)).toBe(1)
    await open.gateway.apply(sampleTable(2, [sampleRoute([second.port])]))
    expect(await dumped(open)).toBe(1)
    await killAll(open)
    await using next = createNginxGateway(open.options)
    await next.start()
    expect((await open.fetch('/')).body).toBe(String(first.port))
    await next.apply(sampleTable(2, [sampleRoute([second.port])]))
    expect((await open.fetch('/')).body).toBe(String(second.port))
  })

  test('nginx that ends while the agent runs begins with the table that was in force, written or not', async () => {
    await using open = await openGateway({ dumpAfterMs: 600_000 })
    await using member = await openUpstream()
    await open.gateway.apply(sampleTable(1, [sampleRoute([])]))
    await open.gateway.apply(sampleTable(2, [sampleRoute([member.port])]))
    expect(await dumped(open)).toBeUndefined()
    await killAll(open)
    await open.gateway.start()
    expect(await open.gateway.status()).toMatchObject({ running: true, version: 2 })
    expect((await open.fetch('/')).body).toBe(String(member.port))
  })
})

describe('crashes', () => {
  test('a killed worker is replaced by one with the table', async () => {
    await using open = await openGateway({ workers: 1 })
    await using member = await openUpstream()
    await open.gateway.apply(sampleTable(1, [sampleRoute([])]))
    await open.gateway.apply(sampleTable(2, [sampleRoute([member.port])]))
    const [worker] = await childrenOf(await pidOf(open))
    process.kill(worker!, 'SIGKILL')
    await eventually(async () => !(await childrenOf(await pidOf(open))).includes(worker!))
    await eventually(async () => (await open.fetch('/').catch(() => undefined))?.status === 200)
    expect(await open.gateway.status()).toMatchObject({ running: true, version: 2 })
  })

  test('workers without their master are dismissed, and what they serve is finished', async () => {
    await using open = await openGateway()
    const { promise: finish, resolve: doFinish } = Promise.withResolvers<void>()
    await using member = await openUpstream((request, response) =>
      request.url === '/slow' ? void finish.then(() => response.end('slow')) : response.end('quick'),
    )
    await open.gateway.apply(sampleTable(1, [sampleRoute([member.port])]))
    const slow = open.fetch('/slow')
    await eventually(() => member.seen.length === 1)
    const pid = await pidOf(open)
    process.kill(pid, 'SIGKILL')
    await eventually(async () => !(await isAlive(pid)))
    expect((await open.gateway.status()).running).toBe(false)
    expect((await open.fetch('/')).body).toBe('quick')

    await open.gateway.start()
    expect((await open.gateway.status()).pid).not.toBe(pid)
    expect((await open.fetch('/')).body).toBe('quick')
    doFinish()
    expect((await slow).body).toBe('slow')
  })

  test('a pid file that names somebody else is not believed', async () => {
    await using open = await openGateway()
    await open.gateway.stop()
    await writeFile(`${open.options.stateDir}/private/nginx.pid`, `${process.pid}\n`)
    expect((await open.gateway.status()).running).toBe(false)
    await open.gateway.stop()
    await open.gateway.start()
    expect(await pidOf(open)).not.toBe(process.pid)
  })
})

describe('what can be wrong', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'berth-gateway-'))
    await chmod(dir, 0o711)
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const options = async () => ({
    stateDir: join(dir, 'gateway'),
    httpPort: await freePort(),
    listenAddress: '127.0.0.1',
    log: pino({ level: 'silent' }),
  })

  test('the port is taken: the error names who has it', async () => {
    const given = await options()
    await using holder = await openUpstream(undefined, { port: given.httpPort })
    const error = await errorOf(createNginxGateway(given).start())
    expect(error).toMatchObject({
      code: 'gateway.port-taken',
      details: { port: holder.port, holder: { pid: process.pid } },
    })
    expect(error.message).toContain(`start the gateway at port ${holder.port}: process ${process.pid} (`)
  })

  test.each([
    ['nginx', { nginxPath: '/nonexistent/nginx' }],
    ['its version', { nginxPath: '/bin/true' }],
  ])('%s is missing: the error says what to install', async (_, wrong) => {
    const error = await errorOf(createNginxGateway({ ...(await options()), ...wrong }).start())
    expect(error).toMatchObject({
      code: 'gateway.nginx-missing',
      message: expect.stringContaining('apt-get install nginx libnginx-mod-http-lua lua-cjson'),
    })
  })

  test.each([
    ['a folder with a space', { stateDir: '/tmp/a b' }],
    ['a folder with a command', { stateDir: '/tmp/a;b' }],
    ['a relative folder', { stateDir: 'x' }],
    ['a folder too long for a socket', { stateDir: `/tmp/${'x'.repeat(100)}` }],
    ['a port', { httpPort: 70_000 }],
    ['both ports alike', { httpPort: 80, httpsPort: 80 }],
    ['an address', { listenAddress: '127.0.0.1; #' }],
    ['a proxy', { trustedProxies: ['10.0.0.0/8; deny all'] }],
    ['workers', { workers: 0 }],
  ])('%s is refused before anything is done', async (_, wrong) => {
    const given = { ...(await options()), ...wrong }
    expect(() => createNginxGateway(given)).toThrowError(expect.objectContaining({ code: 'gateway.invalid-options' }))
  })

  test('a table with problems changes nothing, a gateway that is down cannot take one', async () => {
    await using open = await openGateway()
    await using member = await openUpstream()
    const route = sampleRoute([member.port])
    await open.gateway.apply(sampleTable(1, [route]))
    expect(await errorOf(open.gateway.apply(sampleTable(2, [route, route])))).toMatchObject({
      code: 'gateway.invalid-table',
      details: { problems: [{ path: 'routes[1].id' }, { path: 'routes[1]' }] },
    })
    expect(await open.gateway.status()).toMatchObject({ version: 1 })
    await open.gateway.apply(sampleTable(0, [route]), { force: true })
    expect(await open.gateway.status()).toMatchObject({ version: 0 })
    await open.gateway.stop()
    expect(await errorOf(open.gateway.apply(sampleTable(3, [route])))).toMatchObject({
      code: 'gateway.not-running',
      retryable: true,
    })
  })

  test('an aborted call leaves the gateway as it was', async () => {
    await using open = await openGateway()
    await expect(open.gateway.apply(sampleTable(1, []), { signal: AbortSignal.abort() })).rejects.toThrow('aborted')
    await expect(open.gateway.status({ signal: AbortSignal.abort() })).rejects.toThrow('aborted')
    expect((await open.gateway.status()).version).toBe(0)
  })
})

test('temporary files lie elsewhere where nginx’s workers cannot enter the state folder', async () => {
  await using open = await openGateway({ stateDirMode: 0o700 })
  await using member = await openUpstream(echoBody)
  await open.gateway.apply(sampleTable(1, [sampleRoute([member.port])]))
  const conf = await readText(`${open.options.stateDir}/private/nginx.conf`)
  const dir = /client_body_temp_path (\/var\/cache\/berth-gateway\/[0-9a-f]+)\/body;/.exec(conf)?.[1]
  const reply = await open.fetch('/', { method: 'POST', body: 'x'.repeat(500_000) })
  expect(reply).toMatchObject({ status: 200, body: 'x'.repeat(500_000) })
  expect(await readdir(dir!)).toContain('body')
  await open.gateway.stop()
  await expect(readdir(dir!)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('only the owner reaches the admin socket and the keys', async () => {
  await using open = await openGateway({ httpsPort: await freePort() })
  const dir = `${open.options.stateDir}/private`
  expect((await stat(dir)).mode & 0o777).toBe(0o700)
  for (const name of (await readdir(dir)).filter((entry) => /\.(pem|sock|conf)$/.test(entry))) {
    expect([name, (await stat(join(dir, name))).mode & 0o777]).toEqual([name, 0o600])
  }
  const socket = connect(`${dir}/admin.sock`)
  await once(socket, 'connect')
  socket.destroy()
})
