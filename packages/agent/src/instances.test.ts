import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Assignment } from '@berth/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { TestNode, testAssignment } from './testing/test-node.ts'
import { waitUntil } from './testing/wait-until.ts'

/** What an agent makes of assignments, on a real Docker. */
// Real machines under load take their time; every wait has a deadline of its own.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
let node: TestNode
let next = 0

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => await node?.[Symbol.asyncDispose]())
afterEach((context) => {
  if (context.task.result?.state === 'fail') process.stderr.write(node.log.slice(-6000))
})

function assign(change: Partial<Assignment> = {}): Assignment {
  next += 1
  const assignment = testAssignment(next, change)
  node.server.assign(assignment)
  return assignment
}

const shell = (script: string): string[] => ['sh', '-c', script]
const status = (assignment: Assignment, what: string, condition: Parameters<TestNode['server']['status']>[2]) =>
  node.server.status(assignment.instance, what, condition)
const inspect = (assignment: Assignment) => JSON.parse(node.host.docker('inspect', assignment.instance))[0]
const stop = async (assignment: Assignment) => {
  node.server.change(assignment.instance, { desired: 'stop' })
  return await status(assignment, 'ended', (each) => each.phase === 'ended')
}
const containers = (): string[] => node.host.docker('ps', '-a', '--format', '{{.Names}}').split('\n')
const probe = { delayMs: 0, intervalMs: 200, timeoutMs: 1_000, successes: 1, failures: 2 }

describe('a container', () => {
  it('is made to Berth’s standard', async () => {
    const assignment = assign({
      cpuMilli: 1300,
      memoryBytes: 96 * 2 ** 20,
      capabilities: ['NET_BIND_SERVICE'],
      sysctls: { 'net.core.somaxconn': '512' },
      ulimits: [{ name: 'nofile', soft: 2048, hard: 4096 }],
      init: true,
      labels: { team: 'harbour', 'berth.instance': 'a lie' },
      workingDirectory: '/tmp',
    })
    await node.server.ready(assignment.instance)
    const { HostConfig: host, Config: config, NetworkSettings: network } = inspect(assignment)
    expect(host).toMatchObject({
      CpuPeriod: 100_000,
      CpuQuota: 130_000,
      Memory: 96 * 2 ** 20,
      MemorySwap: 96 * 2 ** 20,
      PidsLimit: 4096,
      CapDrop: ['ALL'],
      CapAdd: [expect.stringContaining('NET_BIND_SERVICE')],
      SecurityOpt: ['no-new-privileges'],
      Init: true,
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1000000', 'max-file': '2' } },
    })
    expect(config).toMatchObject({ Hostname: `web-${next}`, StopSignal: 'SIGTERM', WorkingDir: '/tmp' })
    expect(config.Labels).toMatchObject({
      team: 'harbour',
      'berth.instance': assignment.instance,
      'berth.app': 'shop',
      'berth.node': 'node-a',
      'berth.cluster': node.authority.fingerprint,
    })
    expect(network.Networks.berth.IPAddress).toBe(assignment.address)
    const seen = node.host.docker(
      'exec',
      assignment.instance,
      ...shell('ulimit -n; cat /proc/sys/net/core/somaxconn; cat /etc/resolv.conf'),
    )
    expect(seen).toMatch(/^2048\n512\n(.*\n)*nameserver 169\.254\.77\.53/)
  })

  it('gets its secrets as files in memory, and nowhere in clear', async () => {
    const value = 'correct-horse-battery'
    const assignment = assign({ secrets: [{ file: 'db;rm -rf $HOME', value }], user: 'app' })
    await node.server.ready(assignment.instance)
    const listing = node.host.docker(
      'exec',
      assignment.instance,
      ...shell('cat "/run/secrets/db;rm -rf \\$HOME"; ls -ln /run/secrets'),
    )
    expect(listing).toContain(value)
    expect(listing).toMatch(/-r-{8} +1 1234 +2345/)
    expect(node.host.run('stat', '-f', '-c', '%T', join(node.host.runDir, 'secrets')).trim()).toBe('tmpfs')
    expect(node.host.docker('inspect', assignment.instance)).not.toContain(value)
    expect(node.log).not.toContain(value)
    const found = node.host.run(
      'sh',
      '-c',
      `grep -rl ${value} ${node.host.stateDir} ${join(node.host.dir, 'data')} || true`,
    )
    expect(found).toBe('')
  })

  it('gets files at paths with shell characters, and an environment that no shell reads', async () => {
    const path = '/etc/a b;$(touch owned)/`x`\'".conf'
    const env = { GREETING: '$(touch /tmp/owned); `id` "quoted" \'single\'\nsecond line' }
    const assignment = assign({ config: [{ path, content: 'depth=3\n', mode: 0o444 }], env })
    await node.server.ready(assignment.instance)
    const read = (file: string) => node.host.docker('exec', assignment.instance, 'cat', file)
    expect(read(path)).toBe('depth=3')
    expect(read('/proc/1/environ')).toContain(env.GREETING)
    expect(node.host.docker('exec', assignment.instance, 'ls', '/tmp')).not.toContain('owned')
  })

  it('mounts volumes, and keeps /persist', async () => {
    const source = join(node.host.dir, 'host volume; $x')
    mkdirSync(source)
    const assignment = assign({
      volumes: [
        { type: 'host', source, path: '/host', readOnly: false },
        { type: 'named', name: 'data', path: '/data', readOnly: false },
        { type: 'tmpfs', path: '/scratch', sizeBytes: 2 ** 20 },
      ],
    })
    await node.server.ready(assignment.instance)
    node.host.docker(
      'exec',
      assignment.instance,
      ...shell('touch /host/here /data/here /scratch/here /persist/logs/here'),
    )
    expect(existsSync(join(source, 'here'))).toBe(true)
    expect(node.host.docker('volume', 'ls', '-q')).toBe('shop.production.data')
    await stop(assignment)
    expect(existsSync(join(node.host.stateDir, 'persist/shop/production', `web-${next}`, 'logs/here'))).toBe(true)
  })

  it('is not made from an assignment that would leave its place', async () => {
    const assignment = assign({ secrets: [{ file: '../../escape', value: 'x' }] })
    const refused = await status(assignment, 'refused', (each) => each.messageCode === 'invalid-assignment')
    expect(refused.message).toContain('plain file name')
    expect(containers()).not.toContain(assignment.instance)
  })

  it('gets another grant while it runs', async () => {
    const assignment = assign()
    const { pid } = await node.server.ready(assignment.instance)
    node.server.change(assignment.instance, { cpuMilli: 250, memoryBytes: 128 * 2 ** 20 })
    await waitUntil('the grant', () => inspect(assignment).HostConfig.CpuQuota === 25_000)
    expect(inspect(assignment).HostConfig).toMatchObject({ Memory: 128 * 2 ** 20, MemorySwap: 128 * 2 ** 20 })
    expect(node.host.pidOf(assignment.instance)).toBe(pid)
  })
})

describe('what goes wrong', () => {
  it('out of memory is visible', async () => {
    const assignment = assign({
      memoryBytes: 16 * 2 ** 20,
      command: shell('echo eating; exec tail /dev/zero'),
      ports: [],
    })
    const killed = await status(assignment, 'killed', (each) => each.messageCode === 'out-of-memory')
    expect(killed).toMatchObject({ ready: false, lastExit: { code: 137, signal: 'SIGKILL', outOfMemory: true } })
    expect(killed.message).toContain('out of memory (limit 16 MiB)')
    await stop(assignment)
  })

  it('an image that exits at once says its code and last lines, and is tried again more and more slowly', async () => {
    const assignment = assign({ command: shell('echo first; echo no port given >&2; exit 3') })
    const crashed = await status(
      assignment,
      'crashed twice',
      (each) => each.restarts >= 1 && each.messageCode === 'exited',
    )
    expect(crashed).toMatchObject({
      lastExit: { code: 3, outOfMemory: false },
      logTail: expect.arrayContaining(['first', 'no port given']),
    })
    expect(crashed.message).toMatch(/exited with code 3 after 0\.\d s/)
    const { containerId } = crashed
    await status(assignment, 'crashed again', (each) => each.restarts >= 2)
    expect(inspect(assignment).Id).toBe(containerId)
    await stop(assignment)
  })

  it.each([
    ['a command that is not there', { command: ['/no/such/program'] }, 'command-not-found', '/no/such/program'],
    ['a host path that is not there', hostVolume('/no/such/folder'), 'mount-missing', '/no/such/folder'],
  ])('%s', async (_, change, messageCode, text) => {
    const assignment = assign(change)
    const failed = await status(assignment, 'failed', (each) => each.messageCode === messageCode)
    expect(failed.message).toContain(text)
    const ended = await stop(assignment)
    expect(ended.phase).toBe('ended')
    expect(containers()).not.toContain(assignment.instance)
  })

  it('a port that is taken, until it is free', async () => {
    const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 18_080 }]
    const first = assign({ ports })
    await node.server.ready(first.instance)
    const second = assign({ ports })
    const refused = await status(second, 'refused', (each) => each.messageCode === 'port-taken')
    expect(refused.message).toContain('18080')
    await stop(first)
    await node.server.ready(second.instance)
    expect(node.host.get('127.0.0.1:18080')).toBe(`${second.hostname}\n`)
    await stop(second)
  })

  it('an address that is taken', async () => {
    const first = assign()
    await node.server.ready(first.instance)
    const second = assign({ address: first.address })
    await status(second, 'refused', (each) => each.messageCode === 'address-taken')
    await stop(first)
    await node.server.ready(second.instance)
    await stop(second)
  })

  it('a name that a stranger’s container has', async () => {
    const name = `shop.production.web-${next + 1}`
    const id = node.host.docker('create', '--name', name, 'berth-test/busybox:1', 'true')
    const assignment = assign()
    await status(assignment, 'refused', (each) => each.messageCode === 'name-taken')
    await stop(assignment)
    expect(inspect(assignment).Id).toBe(id)
    node.host.docker('rm', name)
  })

  it('an image that is not here is asked for, and used when it comes', async () => {
    const id = node.host.importImage('late:1', ['ENV LATE=yes'])
    const archive = join(node.host.dir, 'late.tar')
    node.host.docker('save', '-o', archive, 'late:1')
    node.host.docker('rmi', 'late:1')
    const assignment = assign({ image: id })
    await status(assignment, 'waiting', (each) => each.messageCode === 'image-missing')
    await waitUntil('the question', () =>
      node.server.received.some((line) => line.type === 'image-missing' && line.image === id),
    )
    const upload = node.server.open('PUT', '/v1/images', false)
    upload.end(readFileSync(archive))
    await node.server.ready(assignment.instance)
    await stop(assignment)
  })

  it('a reference that nobody serves', async () => {
    const assignment = assign({ image: 'registry.invalid/shop/web:v1' })
    const failed = await status(assignment, 'failed', (each) => each.messageCode === 'image-unavailable')
    expect(failed.message).toContain('registry.invalid/shop/web:v1')
    const told = node.server.history.filter((each) => each.id === assignment.instance).map((each) => each.messageCode)
    expect(told).toContain('image-pulling')
    await stop(assignment)
  })

  it('a container that somebody removes is made again, with its address', async () => {
    const assignment = assign()
    const before = await node.server.ready(assignment.instance)
    node.host.docker('rm', '-f', assignment.instance)
    const after = await status(assignment, 'back', (each) => each.ready && each.containerId !== before.containerId)
    expect(after).toMatchObject({ address: before.address, restarts: 1 })
  })
})

describe('health', () => {
  it('readiness by http, told in both directions', async () => {
    const assignment = assign({
      command: shell('mkdir -p /tmp/www; touch /tmp/www/healthz; exec httpd -f -p 8080 -h /tmp/www'),
      readiness: { check: { type: 'http', port: 8080, path: '/healthz' }, ...probe },
    })
    const { restarts } = await node.server.ready(assignment.instance)
    node.host.docker('exec', assignment.instance, 'rm', '/tmp/www/healthz')
    const sick = await status(assignment, 'not ready', (each) => !each.ready)
    expect(sick.message).toContain(`GET http://${assignment.address}:8080/healthz answered 404`)
    node.host.docker('exec', assignment.instance, 'touch', '/tmp/www/healthz')
    expect(await node.server.ready(assignment.instance)).toMatchObject({ restarts })
  })

  it('a liveness probe that fails restarts the container in its place', async () => {
    const assignment = assign({
      liveness: { check: { type: 'exec', command: ['test', '!', '-e', '/tmp/dead'] }, ...probe },
    })
    const before = await node.server.ready(assignment.instance)
    node.host.docker('exec', assignment.instance, 'touch', '/tmp/dead')
    const ended = await status(assignment, 'ended by the probe', (each) => each.messageCode === 'liveness-failed')
    expect(ended.message).toContain('test ! -e /tmp/dead exited with code 1')
    const after = await status(assignment, 'restarted', (each) => each.restarts === 1 && each.startedAt !== undefined)
    expect(after).toMatchObject({ containerId: before.containerId, address: before.address })
    await stop(assignment)
  })

  it('one that does not get ready in time says why, and is left to the server', async () => {
    const assignment = assign({
      readiness: { check: { type: 'tcp', port: 9999 }, ...probe },
      readyTimeoutMs: 1_000,
    })
    const late = await status(assignment, 'late', (each) => each.messageCode === 'ready-timeout')
    expect(late.message).toContain(
      `is not ready 1 s after its start: TCP ${assignment.address}:9999 refused the connection`,
    )
    expect(late.phase).toBe('running')
    await stop(assignment)
  })
})

describe('hooks', () => {
  it('run after the start, before it is ready, and before the stop', async () => {
    const assignment = assign({
      afterStart: { command: shell('echo $(hostname) started > /persist/after'), timeoutMs: 5_000 },
      beforeStop: { command: shell('echo stopping > /persist/before'), timeoutMs: 5_000 },
    })
    await node.server.ready(assignment.instance)
    const persist = join(node.host.stateDir, 'persist/shop/production', `web-${next}`)
    expect(readFileSync(join(persist, 'after'), 'utf8')).toBe(`web-${next} started\n`)
    await stop(assignment)
    expect(readFileSync(join(persist, 'before'), 'utf8')).toBe('stopping\n')
  })

  it.each([
    ['fails', shell('echo no database >&2; exit 4'), 'exited with code 4: no database'],
    ['hangs', shell('sleep 60'), 'did not end within 0.5 s'],
  ])('a start whose hook %s has failed', async (_, command, text) => {
    const assignment = assign({ afterStart: { command, timeoutMs: 500 }, restart: 'never' })
    const failed = await status(assignment, 'failed', (each) => each.phase === 'ended')
    expect(failed).toMatchObject({ messageCode: 'hook-failed', message: expect.stringContaining(text) })
    expect(node.server.history.some((each) => each.id === assignment.instance && each.ready)).toBe(false)
    await stop(assignment)
  })
})

describe('jobs', () => {
  const job = { type: 'job' as const, ports: [], restart: 'never' as const, readyTimeoutMs: 0 }

  it.each([
    [0, 'done'],
    [7, 'failed'],
  ])('run to their end with code %i', async (code, text) => {
    const assignment = assign({ ...job, command: shell(`echo ${text}; exit ${code}`) })
    const ended = await status(assignment, 'ended', (each) => each.phase === 'ended')
    expect(ended).toMatchObject({ restarts: 0, lastExit: { code, outOfMemory: false }, logTail: [text] })
    expect(ended.endedAt).toBe(ended.lastExit?.at)
    // Its log can be read until it is forgotten.
    expect(await node.server.logs(assignment.instance)).toMatchObject([{ stream: 'stdout', line: text }])
    node.server.forget(assignment.instance)
    await waitUntil('it to be forgotten', () => !containers().includes(assignment.instance))
  })

  it('are ended after their time', async () => {
    const assignment = assign({ ...job, command: shell('sleep 60'), jobTimeoutMs: 1_000, stopGraceMs: 0 })
    const ended = await status(assignment, 'ended', (each) => each.phase === 'ended')
    expect(ended).toMatchObject({ messageCode: 'job-timeout', lastExit: { code: 137, outOfMemory: false } })
  })

  it('are run again on failure when they say so', async () => {
    const command = shell('test -e /persist/second && exit 0; touch /persist/second; exit 1')
    const assignment = assign({ ...job, command, restart: 'on-failure' })
    const ended = await status(assignment, 'ended', (each) => each.phase === 'ended')
    expect(ended).toMatchObject({ restarts: 1, lastExit: { code: 0 } })
  })
})

describe('stopping', () => {
  it('is graceful, removes everything, and is kept until it is forgotten', async () => {
    const secrets = [{ file: 'key', value: 'x' }]
    const config = [{ path: '/etc/app.conf', content: 'a', mode: 0o644 }]
    const assignment = assign({ secrets, config })
    await node.server.ready(assignment.instance)
    const ended = await stop(assignment)
    expect(ended).toMatchObject({ ready: false, lastExit: { code: 0 }, logTail: expect.arrayContaining(['stopping']) })
    expect(containers()).not.toContain(assignment.instance)
    expect(existsSync(join(node.host.runDir, 'secrets', assignment.instance))).toBe(false)
    expect(readdirSync(join(node.host.stateDir, 'agent/config'))).not.toContain(assignment.instance)
    const record = join(node.host.stateDir, 'agent/instances', `${assignment.instance}.json`)
    expect(statSync(record).mode & 0o777).toBe(0o600)
    node.server.forget(assignment.instance)
    await waitUntil('the record to go', () => !existsSync(record))
  })

  it('kills what does not listen, after its grace', async () => {
    const assignment = assign({
      command: shell('trap "" TERM; while true; do sleep 1; done'),
      ports: [],
      stopGraceMs: 1_000,
    })
    await node.server.ready(assignment.instance)
    const ended = await stop(assignment)
    expect(ended.lastExit).toMatchObject({ code: 137, outOfMemory: false })
  })

  it('does not wait for a pull or a hook under way', async () => {
    const assignment = assign({ afterStart: { command: shell('sleep 60'), timeoutMs: 60_000 } })
    await status(assignment, 'running', (each) => each.phase === 'running')
    const startedAt = performance.now()
    await stop(assignment)
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })

  it('a restart that was asked for keeps instance, address and container', async () => {
    const assignment = assign()
    const before = await node.server.ready(assignment.instance)
    node.server.change(assignment.instance, { restartNonce: 1 })
    const after = await status(assignment, 'restarted', (each) => each.ready && each.restarts === 1)
    expect(after).toMatchObject({ containerId: before.containerId, address: before.address })
    expect(after.pid).not.toBe(before.pid)
    await stop(assignment)
  })
})

function hostVolume(source: string): Partial<Assignment> {
  return { volumes: [{ type: 'host', source, path: '/host', readOnly: true }] }
}
