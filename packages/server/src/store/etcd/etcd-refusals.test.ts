import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, failureOf, put, revisionOf, valueAt } from '../contract/store-under-test.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'
import type { StoreSettings } from '../store-location.ts'
import { type CertificateFiles, TestAuthority } from './certificates.testing.ts'
import { EtcdCluster } from './etcd-cluster.testing.ts'
import { openInEtcd, silent } from './open-etcd.testing.ts'

const run = promisify(execFile)

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-etcd-refusals-'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

const open = (settings: StoreSettings): Promise<Store> => openStore({ settings, directory, log: silent })

const etcdctl = (cluster: EtcdCluster, ...args: string[]) =>
  run('etcdctl', ['--endpoints', cluster.addresses.join(','), ...args], { env: { ...process.env, ETCDCTL_API: '3' } })

describe('an etcd that has reached its quota', () => {
  it('is full: it says so, goes on being read and deleted from, and takes commits again when the alarm is off', async () => {
    await using cluster = await EtcdCluster.start({ arguments: ['--quota-backend-bytes', String(8 * 1_048_576)] })
    await using test = await openInEtcd(cluster.addresses)
    const { store } = test
    const value = 'x'.repeat(500_000)
    const failure = await failureOf(async () => {
      for (let index = 0; index < 60; index++) await put(store, `/big/${index}`, value)
    })
    expect(failure).toMatchObject({ code: 'store.full', retryable: true })
    expect(String(failure)).toMatch(/alarm disarm/)
    expect((await store.list('/big/')).items.length).toBeGreaterThan(3)
    expect((await store.health()).members).toMatchObject([{ healthy: false, problem: /NOSPACE/ }])
    expect(await store.commit({ operations: [{ type: 'delete-prefix', prefix: '/big/' }] })).toMatchObject({ ok: true })
    expect((await store.list('/big/')).items).toEqual([])
    await store.compact(await revisionOf(store))
    await etcdctl(cluster, 'defrag')
    await etcdctl(cluster, 'alarm', 'disarm')
    await put(store, '/small')
    expect(await valueAt(store, '/small')).toBe('{}')
  }, 60_000)
})

describe('an etcd that wants certificates', () => {
  let cluster: EtcdCluster
  let ours: TestAuthority
  let client: CertificateFiles
  let url: string

  beforeAll(async () => {
    ours = await TestAuthority.create(directory, 'ours')
    const server = await ours.sign('server')
    client = await ours.sign('client')
    const tls = ['--cert-file', server.certificate, '--key-file', server.key, '--trusted-ca-file', ours.file]
    cluster = await EtcdCluster.start({
      ...{ scheme: 'https', waitUntilHealthy: false, arguments: [...tls, '--client-cert-auth'] },
    })
    url = `etcd://${cluster.addresses[0]}`
    await eventually(async () => {
      const settings = { url, caFile: ours.file, certificateFile: client.certificate, keyFile: client.key }
      const store = await open(settings).catch(() => undefined)
      await store?.[Symbol.asyncDispose]()
      return store !== undefined
    }, 'etcd with TLS answers')
  })

  afterAll(() => cluster?.[Symbol.asyncDispose]())

  it('lets in who has one', async () => {
    await using store = await open({
      ...{ url, caFile: ours.file, certificateFile: client.certificate, keyFile: client.key },
    })
    await put(store, '/k', '1')
    expect(await valueAt(store, '/k')).toBe('1')
  })

  it.each([
    ['none', async () => ({ caFile: ours.file }), /client certificate/],
    ['one that is over', async () => clientFiles(await ours.sign('expired', -1)), /client certificate/],
    [
      'one of another authority',
      async () => clientFiles(await (await TestAuthority.create(directory, 'theirs')).sign('foreign')),
      /client certificate/,
    ],
    [
      'the wrong authority for the server',
      async () => ({
        ...clientFiles(client),
        caFile: (await TestAuthority.create(directory, 'wrong')).file,
      }),
      /--store-ca/,
    ],
  ])('refuses who has %s, and says so at once', async (_what, settings, why) => {
    const started = performance.now()
    const failure = await failureOf(async () => open({ url, ...(await settings()) }))
    expect(failure).toMatchObject({ code: 'store.denied' })
    expect(String(failure)).toMatch(why)
    expect(performance.now() - started).toBeLessThan(15_000)
  })

  const clientFiles = ({ certificate, key }: CertificateFiles) => ({
    ...{ caFile: ours.file, certificateFile: certificate, keyFile: key },
  })

  it('says to whom asks without any that it speaks TLS', async () => {
    await expect(open({ url })).rejects.toMatchObject({
      code: 'store.denied',
      message: expect.stringMatching(/it speaks TLS.*--store-ca/),
    })
  })

  it('is told from one that speaks no TLS, and files from none', async () => {
    await using plain = await EtcdCluster.start()
    const settings = { url: `etcd://${plain.addresses[0]}`, caFile: ours.file }
    await expect(open(settings)).rejects.toMatchObject({ code: 'store.denied', message: /does not speak TLS/ })
    await expect(open({ ...settings, caFile: '/none' })).rejects.toMatchObject({ code: 'store.file-unreadable' })
  })
})

describe('an etcd that wants passwords', () => {
  let cluster: EtcdCluster
  let passwordFile: string

  beforeAll(async () => {
    cluster = await EtcdCluster.start({ members: 1, arguments: ['--auth-token', 'simple', '--auth-token-ttl', '2'] })
    for (const args of [
      ['user', 'add', 'root:root'],
      ['user', 'add', 'berth:right'],
      ['user', 'add', 'other:right'],
      ['role', 'add', 'berth'],
      ['role', 'grant-permission', '--prefix=true', 'berth', 'readwrite', '/berth/'],
      ['user', 'grant-role', 'berth', 'berth'],
      ['user', 'grant-role', 'root', 'root'],
      ['auth', 'enable'],
    ])
      await etcdctl(cluster, ...args)
    passwordFile = join(directory, 'password')
    await writeFile(passwordFile, 'right\n', { mode: 0o600 })
  })

  afterAll(() => cluster?.[Symbol.asyncDispose]())

  const settingsOf = (user: string, file = passwordFile) => ({
    ...{ url: `etcd://${cluster.addresses[0]}`, user, passwordFile: file },
  })

  it('lets in who has rights on the prefix, also when tokens are over and the member has forgotten them', async () => {
    await using store = await open(settingsOf('berth'))
    await put(store, '/k', '1')
    const seen: string[] = []
    const watching = new AbortController()
    const fromRevision = (await revisionOf(store)) + 1
    const watch = (async () => {
      for await (const { changes } of store.watch('/', { fromRevision, signal: watching.signal }))
        for (const change of changes) if (change.type === 'put') seen.push(change.kv.value)
    })()
    const [member] = cluster.members
    await member?.kill()
    member?.start()
    await put(store, '/k', '2')
    await eventually(() => seen.includes('2'), 'the watch goes on after the restart')
    watching.abort()
    await watch
    const { id } = await store.grantLease(60_000)
    await store.keepLeaseAlive(id)
    await store.compact(await revisionOf(store))
  }, 60_000)

  it('refuses a wrong password, a user without rights, and a file that others can read', async () => {
    const wrong = join(directory, 'wrong')
    await writeFile(wrong, 'wrong\n', { mode: 0o600 })
    const failure = await failureOf(() => open(settingsOf('berth', wrong)))
    expect(failure).toMatchObject({ code: 'store.denied', message: /password/ })
    expect(String(failure)).not.toMatch(/wrong\b.*wrong\b/)
    await expect(open(settingsOf('other'))).rejects.toMatchObject({ code: 'store.denied', message: /readwrite/ })
    const tooOpen = join(directory, 'open')
    await writeFile(tooOpen, 'right\n', { mode: 0o644 })
    await expect(open(settingsOf('berth', tooOpen))).rejects.toMatchObject({ code: 'file.too-open' })
    await expect(open({ url: `etcd://${cluster.addresses[0]}` })).rejects.toMatchObject({ code: 'store.denied' })
  })
})

describe('the identity of a store', () => {
  it('is another one for another prefix, stays over a restart, and is renewed when asked for', async () => {
    await using cluster = await EtcdCluster.start()
    const url = `etcd://${cluster.addresses[0]}`
    const epochOf = async (settings: StoreSettings, newEpoch = false) => {
      await using store = await openStore({ settings, directory, log: silent, newEpoch })
      return store.epoch
    }
    const first = await epochOf({ url })
    expect(await epochOf({ url })).toBe(first)
    expect(await epochOf({ url: `${url}/other` })).not.toBe(first)
    const renewed = await epochOf({ url }, true)
    expect(renewed).not.toBe(first)
    expect(await epochOf({ url })).toBe(renewed)
  })

  it('is a new one when a snapshot was restored into another cluster', async () => {
    const snapshot = join(directory, 'snapshot.db')
    const restored = join(directory, 'restored')
    let epoch = ''
    {
      await using cluster = await EtcdCluster.start()
      await using store = await open({ url: `etcd://${cluster.addresses[0]}` })
      await put(store, '/k', 'kept')
      epoch = store.epoch
      await etcdctl(cluster, 'snapshot', 'save', snapshot)
    }
    await using cluster = await EtcdCluster.start({
      prepare: async ({ name, dataDir, peer, token }) => {
        await run(
          'etcdctl',
          [
            'snapshot',
            'restore',
            snapshot,
            '--name',
            name,
            '--data-dir',
            dataDir,
            '--initial-cluster',
            `${name}=${peer}`,
            '--initial-cluster-token',
            token,
            '--initial-advertise-peer-urls',
            peer,
          ],
          {
            env: { ...process.env, ETCDCTL_API: '3' },
          },
        )
      },
    })
    await using store = await open({ url: `etcd://${cluster.addresses[0]}` })
    expect(await valueAt(store, '/k')).toBe('kept')
    expect(store.epoch).not.toBe(epoch)
    await rm(restored, { recursive: true, force: true })
  })

  it('of a newer form is refused, and so is a foreign key', async () => {
    await using cluster = await EtcdCluster.start()
    const url = `etcd://${cluster.addresses[0]}`
    await etcdctl(cluster, 'put', '/berth/store', '{"form":2,"epoch":"x"}')
    await expect(open({ url })).rejects.toMatchObject({ code: 'store.newer' })
    await etcdctl(cluster, 'put', '/berth/store', 'something else')
    await expect(open({ url })).rejects.toMatchObject({ code: 'store.corrupt', message: /prefix of its own/ })
  })
})

describe('an etcd that others use too', () => {
  it('keeps their keys apart, and takes watches to revisions of theirs that a caller was told', async () => {
    await using cluster = await EtcdCluster.start()
    await using test = await openInEtcd(cluster.addresses, { prefix: '/one' })
    await using other = await openInEtcd(cluster.addresses, { prefix: '/two' })
    await put(test.store, '/k', 'one')
    await put(other.store, '/k', 'two')
    expect(await valueAt(test.store, '/k')).toBe('one')
    const start = (await revisionOf(test.store)) + 1
    const marks: number[] = []
    const watching = new AbortController()
    const watch = (async () => {
      for await (const batch of test.store.watch('/', { fromRevision: start, signal: watching.signal })) {
        expect(batch.changes).toEqual([])
        marks.push(batch.revision)
      }
    })()
    await put(other.store, '/k', 'three')
    const refused = await test.store.commit({
      compare: [{ key: '/k', value: 'no' }],
      operations: [{ type: 'put', key: '/k', value: 'x' }],
    })
    expect(refused.ok).toBe(false)
    await eventually(() => (marks.at(-1) ?? 0) >= refused.revision, 'the watch gets to the revision of the refusal')
    watching.abort()
    await watch
  })
})
