import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ServerUnderTest } from '../packages/server/src/server-under-test.testing.ts'
import { EtcdCluster } from '../packages/server/src/store/etcd/etcd-cluster.testing.ts'

const program = join(import.meta.dirname, 'berth.ts')
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-backup-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

interface End {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function berth(args: readonly string[], server?: ServerUnderTest): Promise<End> {
  const env = { ...process.env, NO_COLOR: '1', HOME: directory }
  if (server !== undefined) Object.assign(env, { BERTH_SERVER: `unix:${server.edge.socketPath}` })
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

it('a server on etcd is backed up while it runs, the backup is tried out and restored into SQLite, and etcd is left by a migration', async () => {
  await using cluster = await EtcdCluster.start()
  const url = `etcd://${cluster.addresses[0]}/cluster`
  await using server = await ServerUnderTest.start({ store: { url } })
  await server.local.call('createToken', { body: { name: 'ana', owner: 'Ana', role: 'deployer' } })
  const status = await server.local.call('getStatus')
  expect(status.store).toMatchObject({ kind: 'etcd', healthy: true, members: [{ healthy: true, leader: true }] })
  expect((await berth(['status'], server)).stdout).toMatch(/store +etcd at revision \d+.*1 of 1 members healthy/)

  const file = join(directory, 'backup')
  const passphrase = join(directory, 'passphrase')
  await writeFile(passphrase, 'correct horse battery\n', { mode: 0o600 })
  const made = await berth(['backup', file, '--include-keys', passphrase], server)
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/\d+ records at revision \d+/) })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const key = (await readFile(join(server.directory, 'state/server/secret.key'), 'utf8')).trim()
  expect(gunzipSync(await readFile(file)).toString()).not.toContain(key)
  expect(await berth(['backup', file], server)).toMatchObject({ code: 2, stderr: expect.stringMatching(/exists/) })

  const drill = await berth(['backup', 'verify', file, '--passphrase-file', passphrase])
  expect(drill).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1 tokens.*secret\.key.*it can be restored/s),
  })
  await writeFile(join(directory, 'half'), (await readFile(file)).subarray(0, 200))
  expect(await berth(['backup', 'verify', join(directory, 'half'), '-o', 'json'])).toMatchObject({
    ...{ code: 1, stderr: expect.stringMatching(/"code":"backup.incomplete"/) },
  })
  const state = join(directory, 'state')
  const restored = await berth(['restore', file, '--state-dir', state, '--passphrase-file', passphrase])
  expect(restored).toMatchObject({ code: 0, stderr: expect.stringMatching(/accept-epoch/) })
  expect((await readFile(join(state, 'server/secret.key'), 'utf8')).trim()).toBe(key)
  expect(restored.stdout).not.toContain(status.epoch)

  const moved = ['store', 'migrate', '--from', url, '--to', `sqlite:${join(directory, 'moved.db')}`]
  expect(await berth(moved)).toMatchObject({ code: 1, stderr: expect.stringMatching(/servers stand on it/) })
  await server.stop()
  expect(await berth(moved)).toMatchObject({ code: 0, stdout: expect.stringMatching(/every one compared/) })
  await using again = new ServerUnderTest(server.directory, { store: { url: `sqlite:${join(directory, 'moved.db')}` } })
  await again.run()
  expect((await again.local.list('listTokens')).items.map(({ name }) => name)).toEqual(['ana'])
  const after = await again.local.call('getStatus')
  expect(after.store).toMatchObject({ kind: 'sqlite' })
  expect(after.authority?.fingerprint).toBe(status.authority?.fingerprint)
}, 300_000)

it('a server that goes away in the middle leaves no file', async () => {
  await using server = await ServerUnderTest.start()
  const file = join(directory, 'backup')
  const weak = join(directory, 'weak')
  await writeFile(weak, 'short\n', { mode: 0o600 })
  const refused = await berth(['backup', file, '--include-keys', weak], server)
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/12 or more/) })
  await server.stop()
  expect((await berth(['backup', file], server)).code).toBe(1)
  expect(await readdir(directory)).not.toContain('backup')
  expect((await readdir(directory)).filter((name) => name.endsWith('.part'))).toEqual([])
}, 180_000)

it('misuse is said plainly', async () => {
  const cases: [string[], RegExp][] = [
    [['store', 'migrate', '--from', 'sqlite', '--to', 'mysql://x', '--state-dir', directory], /a store is/],
    [['store', 'migrate', '--from', 'sqlite', '--to', 'sqlite', '--state-dir', directory], /both/],
    [['store', 'migrate', '--from', 'sqlite', '--to', 'etcd://a', '--store', 'x'], /--from and --to/],
    [['restore', join(directory, 'none'), '--state-dir', directory], /no such file/],
    [['up', '--store-user', 'me', '--state-dir', directory], /say nothing without --store/],
  ]
  for (const [args, why] of cases) {
    const { code, stderr } = await berth(args)
    expect(code).not.toBe(0)
    expect(stderr).toMatch(why)
    expect(stderr).not.toMatch(/at .*\.ts:/)
  }
}, 180_000)
