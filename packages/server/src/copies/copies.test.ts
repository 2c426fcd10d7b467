import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { put } from '../store/contract/store-under-test.ts'
import { EtcdCluster } from '../store/etcd/etcd-cluster.testing.ts'
import { silent } from '../store/etcd/open-etcd.testing.ts'
import { openStore } from '../store/open-store.ts'
import { fillingKey } from '../store/own-keys.ts'
import type { Operation, Store } from '../store/store.ts'
import { readFilling, refuseUnfinished } from './copied-keys.ts'
import { fillStore } from './fill-store.ts'
import { migrateStore } from './migrate-store.ts'
import { checkBackup } from './read-backup.ts'
import { restoreBackup } from './restore-backup.ts'
import { differences, type Item, itemsOf } from './store-items.ts'
import { verifyBackup } from './verify-backup.ts'
import { writeBackup } from './write-backup.ts'

let directory: string
let cluster: EtcdCluster

beforeAll(async () => {
  cluster = await EtcdCluster.start()
})
afterAll(() => cluster?.[Symbol.asyncDispose]())
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-copies-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const offline = () => ({ directory, log: silent })
const sqlite = (name = 'store.db') => ({ url: `sqlite:${join(directory, name)}` })
let prefixes = 0
const etcd = () => ({ url: `etcd://${cluster.addresses[0]}/copies-${process.pid}-${++prefixes}` })
const opened = (settings: { readonly url: string }): Promise<Store> => openStore({ ...offline(), settings })

const app = (name: string) => JSON.stringify({ v: 1, name, vcs: 'git', createdAt: 1, createdBy: 'x', nextRelease: 1 })

async function fill(store: Store, count: number): Promise<void> {
  const operations = Array.from({ length: count }, (_, index): Operation => {
    const name = `app-${index}`
    return { type: 'put', key: `/apps/${name}`, value: app(name) }
  })
  for (let at = 0; at < operations.length; at += 100) await store.commit({ operations: operations.slice(at, at + 100) })
}

async function all(store: Store): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of itemsOf(store)) items.push(item)
  return items
}

async function backUp(store: Store, file: string, passphrase?: string): Promise<void> {
  const lines: string[] = []
  const source = { store, version: '0.1.0', directory, now: 1 }
  for await (const line of writeBackup(source, { passphrase, signal: new AbortController().signal }))
    lines.push(`${JSON.stringify(line)}\n`)
  await writeFile(file, gzipSync(lines.join('')))
}

describe('differences', () => {
  it('make the one what the other is, and are none then', async () => {
    const key = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 3 })
      .map((text) => `/${text.replaceAll('\0', '')}`)
    const content = fc.uniqueArray(fc.record({ key, value: fc.constantFrom('1', '2') }), { selector: (one) => one.key })
    const sorted = (items: Item[]) => items.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
    async function* stream(items: readonly Item[]) {
      yield* items
    }
    await fc.assert(
      fc.asyncProperty(content, content, async (one, other) => {
        const [wanted, present] = [sorted(one), sorted(other)]
        const result = new Map(present.map((item) => [item.key, item.value]))
        for await (const operation of differences(stream(wanted), stream(present))) {
          if (operation.type === 'put') result.set(operation.key, operation.value)
          else if (operation.type === 'delete') expect(result.delete(operation.key)).toBe(true)
        }
        const after = sorted([...result].map(([name, value]) => ({ key: name, value })))
        expect(after).toEqual(wanted)
        for await (const operation of differences(stream(wanted), stream(after))) expect(operation).toBeUndefined()
      }),
    )
  })
})

describe('migration', () => {
  it.each(['to etcd', 'to SQLite'])('%s copies everything, and the new store follows on the old one', async (where) => {
    const [from, to] = where === 'to etcd' ? [sqlite(), etcd()] : [etcd(), sqlite()]
    let [items, epoch] = [[] as Item[], '']
    {
      await using source = await opened(from)
      await fill(source, 1_234)
      await put(source, '/apps/ä', app('ä'))
      const { id } = await source.grantLease(60_000)
      await put(source, '/leaders/x', '{}', id)
      await source.revokeLease(id)
      items = await all(source)
      epoch = source.epoch
    }
    const migrated = await migrateStore(from, to, offline())
    expect(migrated).toMatchObject({ records: 1_235, fromEpoch: epoch })
    expect(migrated.epoch).not.toBe(epoch)
    await using target = await opened(to)
    expect(await all(target)).toEqual(items)
    expect(target.epoch).toBe(migrated.epoch)
    expect((await target.get('/store/lineage')).kv?.value).toBe(JSON.stringify({ follows: [epoch] }))
    await refuseUnfinished(target)
    await using source = await opened(from)
    expect(await all(source)).toEqual(items)
  })

  it('goes on where it was interrupted with the same source, and with no other', async () => {
    const [from, to] = [sqlite(), etcd()]
    let epoch = ''
    {
      await using source = await opened(from)
      await fill(source, 300)
      epoch = source.epoch
      await using target = await opened(to)
      const failing = fillStore(target, {
        filling: { by: 'migrate', epoch, revision: 1 },
        source: () => breaking(source, 150),
      })
      await expect(failing).rejects.toThrow('cut')
      expect(await readFilling(target)).toMatchObject({ by: 'migrate', epoch })
      await expect(refuseUnfinished(target)).rejects.toMatchObject({ code: 'store.incomplete' })
    }
    {
      await using other = await opened(sqlite('other.db'))
      await fill(other, 3)
    }
    await expect(migrateStore(sqlite('other.db'), to, offline())).rejects.toMatchObject({ code: 'store.incomplete' })
    await migrateStore(from, to, offline())
    await using target = await opened(to)
    expect(await all(target)).toHaveLength(300)
    expect((await target.get(fillingKey)).kv).toBeUndefined()
  })

  async function* breaking(source: Store, after: number): AsyncGenerator<Item> {
    let count = 0
    for await (const item of itemsOf(source)) {
      if (count++ === after) throw new Error('cut')
      yield item
    }
  }

  it('refuses a target with records, a source that is not there, the same store twice, and one that a server stands on', async () => {
    const [from, to] = [sqlite(), etcd()]
    await expect(migrateStore(from, to, offline())).rejects.toMatchObject({ code: 'store.not-found' })
    {
      await using source = await opened(from)
      await fill(source, 1)
      const told = { code: 'store.locked', message: expect.stringContaining('stop it first (berth down') }
      await expect(migrateStore(from, to, offline())).rejects.toMatchObject(told)
    }
    await expect(migrateStore(from, from, offline())).rejects.toMatchObject({ code: 'store.same' })
    {
      await using target = await opened(to)
      await fill(target, 1)
      await expect(migrateStore(from, to, offline())).rejects.toMatchObject({ code: 'store.not-empty' })
      const { id } = await target.grantLease(60_000)
      await put(target, '/servers/a', '{}', id)
      const inUse = { code: 'store.in-use', message: expect.stringContaining('berth down') }
      await expect(migrateStore(to, sqlite('new.db'), offline())).rejects.toMatchObject(inUse)
    }
    expect((await readdir(directory)).filter((name) => name.startsWith('new.db'))).toEqual([])
  })
})

describe('a backup', () => {
  const file = () => join(directory, 'backup')

  it.each(['SQLite', 'etcd'])(
    'of %s holds one revision while it goes on, and can be restored into either',
    async (what) => {
      const from = what === 'etcd' ? etcd() : sqlite()
      let [items, epoch] = [[] as Item[], '']
      {
        await using source = await opened(from)
        await fill(source, 1_100)
        items = await all(source)
        epoch = source.epoch
        const writing = Promise.all(
          Array.from({ length: 20 }, (_, index) => put(source, `/apps/new-${index}`, app('new'))),
        )
        const backing = backUp(source, file())
        await Promise.all([writing, backing])
      }
      const checked = await checkBackup(file())
      expect(checked.head).toMatchObject({ epoch, version: '0.1.0' })
      expect(checked.records).toBeGreaterThanOrEqual(items.length)
      for (const to of [sqlite('restored.db'), etcd()]) {
        const restored = await restoreBackup(file(), to, offline())
        expect(restored.epoch).not.toBe(epoch)
        await using store = await opened(to)
        expect(store.epoch).toBe(restored.epoch)
        const found = await all(store)
        expect(found).toHaveLength(checked.records)
        expect(found).toEqual(expect.arrayContaining(items))
        expect((await store.get('/store/lineage')).kv).toBeUndefined()
      }
    },
  )

  it('gives an empty store that nodes may know an epoch that they do not', async () => {
    for (const to of [sqlite('known.db'), etcd()]) {
      let epoch = ''
      {
        await using store = await opened(to)
        epoch = store.epoch
      }
      {
        await using source = await opened(sqlite())
        await fill(source, 2)
        await backUp(source, file())
      }
      expect((await restoreBackup(file(), to, offline())).epoch).not.toBe(epoch)
      await rm(join(directory, 'store.db'))
    }
  })

  it('that is cut, changed, no backup or newer is refused, and nothing is left', async () => {
    {
      await using source = await opened(sqlite())
      await fill(source, 50)
      await backUp(source, file())
    }
    const whole = await readFile(file())
    const text = gunzipSync(whole).toString()
    const lines = text.trimEnd().split('\n')
    const cases: [Buffer | string, string][] = [
      [whole.subarray(0, whole.length - 20), 'backup.incomplete'],
      [gzipSync(`${lines.slice(0, -1).join('\n')}\n`), 'backup.incomplete'],
      [gzipSync(text.replace('app-7', 'app-8')), 'backup.damaged'],
      [gzipSync(`${[...lines.slice(0, 5), ...lines.slice(6)].join('\n')}\n`), 'backup.damaged'],
      [gzipSync('hello\n'), 'backup.damaged'],
      [gzipSync(''), 'backup.incomplete'],
      ['no gzip', 'backup.damaged'],
      [gzipSync(text.replace('"form":1', '"form":2')), 'store.newer'],
    ]
    for (const [content, code] of cases) {
      await writeFile(file(), content)
      await expect(restoreBackup(file(), sqlite('target.db'), offline())).rejects.toMatchObject({ code })
      await expect(verifyBackup(file(), { log: silent })).rejects.toMatchObject({ code })
    }
    await expect(checkBackup(join(directory, 'none'))).rejects.toMatchObject({ code: 'backup.unreadable' })
    expect((await readdir(directory)).filter((name) => name.startsWith('target'))).toEqual([])
  })

  it('with a record that cannot be read, or into a store with records, writes nothing', async () => {
    await using source = await opened(sqlite())
    await fill(source, 3)
    await backUp(source, file())
    const bad = join(directory, 'bad')
    await put(source, '/apps/broken', '{"v":99}')
    await backUp(source, bad)
    await expect(restoreBackup(bad, sqlite('t.db'), offline())).rejects.toMatchObject({ code: 'record.newer' })
    const locked = { code: 'store.locked', message: expect.stringContaining('stop it first (berth down') }
    await expect(restoreBackup(file(), sqlite(), offline())).rejects.toMatchObject(locked)
    await restoreBackup(file(), sqlite('t.db'), offline())
    await expect(restoreBackup(file(), sqlite('t.db'), offline())).rejects.toMatchObject({ code: 'store.not-empty' })
  })

  it('includes keys sealed by a passphrase, and gives them back to who knows it', async () => {
    await using source = await opened(sqlite())
    await fill(source, 1)
    await writeFile(join(directory, 'secret.key'), 'the key\n', { mode: 0o600 })
    await backUp(source, file(), 'a long passphrase')
    expect(gunzipSync(await readFile(file())).toString()).not.toMatch(/the key/)
    await expect(backUp(source, file(), 'short')).rejects.toMatchObject({ code: 'backup.weak-passphrase' })
    const elsewhere = await mkdtemp(join(tmpdir(), 'berth-copies-'))
    try {
      const to = { url: 'sqlite' }
      const options = { directory: elsewhere, log: silent }
      const wrong = restoreBackup(file(), to, { ...options, passphrase: 'another passphrase' })
      await expect(wrong).rejects.toMatchObject({ code: 'backup.wrong-passphrase' })
      expect(await readdir(elsewhere)).toEqual([])
      const restored = await restoreBackup(file(), to, { ...options, passphrase: 'a long passphrase' })
      expect(restored.keys).toEqual(['secret.key'])
      expect(await readFile(join(elsewhere, 'secret.key'), 'utf8')).toBe('the key\n')
      expect((await stat(join(elsewhere, 'secret.key'))).mode & 0o777).toBe(0o600)
      await rm(join(elsewhere, 'store.db'))
      await writeFile(join(elsewhere, 'secret.key'), 'another\n', { mode: 0o600 })
      const differs = restoreBackup(file(), to, { ...options, passphrase: 'a long passphrase' })
      await expect(differs).rejects.toMatchObject({ code: 'backup.keys-differ' })
      expect(await readFile(join(elsewhere, 'secret.key'), 'utf8')).toBe('another\n')
    } finally {
      await rm(elsewhere, { recursive: true, force: true })
    }
  })

  it('of a cluster with nodes is not restored without its keys, unless they are lost', async () => {
    await using source = await opened(sqlite())
    await put(source, '/nodes/n1', JSON.stringify({ v: 1, name: 'n1' }))
    await writeFile(join(directory, 'secret.key'), 'the key\n', { mode: 0o600 })
    await mkdir(join(directory, 'authority'))
    await writeFile(join(directory, 'authority/authority.pem'), 'the authority\n', { mode: 0o600 })
    await backUp(source, file())
    await backUp(source, join(directory, 'with-keys'), 'a long passphrase')
    const elsewhere = await mkdtemp(join(tmpdir(), 'berth-copies-'))
    try {
      const restored = (from: string, options = {}) =>
        restoreBackup(from, { url: 'sqlite' }, { directory: elsewhere, log: silent, ...options })
      const missing = { code: 'backup.keys-missing', details: { missing: ['secret.key', 'authority/'] } }
      await expect(restored(file())).rejects.toMatchObject(missing)
      await expect(restored(join(directory, 'with-keys'))).rejects.toThrow('--passphrase-file')
      expect(await readdir(elsewhere)).toEqual([])
      expect(await restored(file(), { withoutKeys: true })).toMatchObject({ records: 1, keys: [] })
      await rm(join(elsewhere, 'store.db'))
      expect(await restored(join(directory, 'with-keys'), { passphrase: 'a long passphrase' })).toMatchObject({
        keys: ['secret.key', 'authority/authority.pem'],
      })
      await rm(join(elsewhere, 'store.db'))
      expect(await restored(file())).toMatchObject({ records: 1, keys: [] })
    } finally {
      await rm(elsewhere, { recursive: true, force: true })
    }
  })

  it('is tried out by a drill, which finds what contradicts itself', async () => {
    await using source = await opened(sqlite())
    await fill(source, 2)
    await backUp(source, file())
    const good = await verifyBackup(file(), { log: silent })
    expect(good).toMatchObject({ records: 2, counts: { apps: 2 }, keys: 'none', violations: [] })
    const instance = (ordinal: number) => ({
      ...{ v: 1, id: `app-0.production.web-${ordinal}`, app: 'app-0', pool: 'production', entrypoint: 'web', ordinal },
      ...{ release: 'v1', node: 'n', address: '10.77.1.2', cores: '2-3,4:600', hostPorts: [80], desired: 'run' },
    })
    for (const ordinal of [1, 2])
      await put(source, `/instances/${instance(ordinal).id}`, JSON.stringify(instance(ordinal)))
    await backUp(source, file())
    const { violations } = await verifyBackup(file(), { log: silent })
    for (const what of [
      /address 10.77.1.2 is given to/,
      /port n:80/,
      /core 2 of n/,
      /core 4 of n/,
      /no node n/,
      /no release v1/,
      /no pool/,
    ])
      expect(violations.some((each) => what.test(each))).toBe(true)
    await copyFile(file(), `${file()}-copy`)
  })
})
