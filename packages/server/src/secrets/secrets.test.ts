import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { app } from '../records/sample-records.testing.ts'
import { seal, unseal } from './seal.ts'
import { openSecretKey, type SecretKey } from './secret-key.ts'
import { maxSecretBytes, maxSecretsPerApp, Secrets } from './secrets.ts'

const admin = { actor: 'local:0' }
const silent = pino({ level: 'silent' })
let directory: string
let path: string
let under: RecordsUnderTest
let key: SecretKey
let secrets: Secrets

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-secrets-'))
  path = join(directory, 'secret.key')
  key = await openSecretKey(path, { sealedValuesExist: false })
  under = await openTemporaryRecords()
  await under.records.commit('system', (tx) => tx.put('apps', app('shop')))
  secrets = new Secrets({ records: under.records, key, log: silent })
})
afterEach(async () => {
  await under[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

describe('the number of secrets', () => {
  it('of an app is bounded; those that are there can be changed', async () => {
    await under.records.commit('system', (tx) => tx.put('apps', app('blog')))
    const one = (name: string, of = 'shop') => secrets.set({ app: of, name }, 'x', admin)
    const first = await one('S0')
    for (let from = 1; from < maxSecretsPerApp; from += 50) {
      await under.records.commit('system', (tx) => {
        for (let n = from; n < Math.min(from + 50, maxSecretsPerApp); n += 1)
          tx.put('secrets', { ...first, name: `S${n}` })
      })
    }
    await expect(one('MORE')).rejects.toMatchObject({ code: 'secret.too-many' })
    expect(await one('S0')).toMatchObject({ version: 2 })
    await one('MORE', 'blog')
    await secrets.remove({ app: 'shop', name: 'S1' }, admin)
    await one('MORE')
  })
})

describe('the key file', () => {
  it('is made once, for its owner only', async () => {
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const again = await openSecretKey(path, { sealedValuesExist: true })
    expect(again.derive('secrets')).toEqual(key.derive('secrets'))
    expect(again.derive('sessions')).not.toEqual(key.derive('secrets'))
  })

  it('is not made anew when sealed values exist', async () => {
    await rm(path)
    await expect(openSecretKey(path, { sealedValuesExist: true })).rejects.toMatchObject({
      code: 'secrets.key-missing',
    })
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is refused when it is no key, or open to others', async () => {
    const good = await readFile(path, 'utf8')
    await writeFile(path, 'short')
    await expect(openSecretKey(path, { sealedValuesExist: true })).rejects.toMatchObject({
      code: 'secrets.key-corrupt',
    })
    await writeFile(path, good)
    await chmod(path, 0o640)
    await expect(openSecretKey(path, { sealedValuesExist: true })).rejects.toMatchObject({ code: 'file.too-open' })
  })
})

describe('sealing', () => {
  const bound = ['secret', 'shop', '_', 'KEY', '1']
  it.each(['', 'a', 'p@$$wörd\n世界', 'x'.repeat(100_000)])('opens to what was sealed (%#)', (text) => {
    const sealed = seal(key.derive('secrets'), bound, text)
    expect(unseal(key.derive('secrets'), bound, sealed)).toBe(text)
    if (text.length > 1) expect(sealed).not.toContain(text)
  })

  it('does not open elsewhere, changed, or with another key', () => {
    const own = key.derive('secrets')
    const sealed = seal(own, bound, 'hunter2')
    const refusal = expect.objectContaining({ code: 'secrets.cannot-open' })
    expect(() => unseal(own, ['secret', 'shop', '_', 'KEY', '2'], sealed)).toThrow(refusal)
    expect(() => unseal(key.derive('x'), bound, sealed)).toThrow(refusal)
    for (const changed of [`${sealed.slice(0, -2)}AA`, sealed.slice(0, 20), sealed.replace('a1', 'a2'), '', 'a1.'])
      expect(() => unseal(own, bound, changed)).toThrow(refusal)
  })
})

describe('secrets', () => {
  it('come out for assignments only, the environment’s own first', async () => {
    await secrets.set({ app: 'shop', name: 'KEY' }, 'wide', admin)
    await secrets.set({ app: 'shop', environment: 'staging', name: 'KEY' }, 'narrow', admin)
    expect(secrets.valuesFor('shop', 'production', ['KEY'])).toEqual(new Map([['KEY', 'wide']]))
    expect(secrets.valuesFor('shop', 'staging', ['KEY'])).toEqual(new Map([['KEY', 'narrow']]))
    expect(secrets.valuesFor('shop', 'staging', ['KEY', 'OTHER'])).toEqual(new Map([['KEY', 'narrow']]))
    expect(secrets.missing('shop', 'staging', ['KEY', 'OTHER'])).toEqual(['OTHER'])
  })

  it('raise their version and leave a trace without a value', async () => {
    await secrets.set({ app: 'shop', name: 'KEY' }, 'hunter2', admin)
    const record = await secrets.set({ app: 'shop', name: 'KEY' }, 'hunter3', admin)
    expect(record).toMatchObject({ version: 2, updatedBy: 'local:0' })
    expect(secrets.valuesFor('shop', 'x', ['KEY']).get('KEY')).toBe('hunter3')
    await secrets.remove({ app: 'shop', name: 'KEY' }, admin)
    expect(secrets.missing('shop', 'x', ['KEY'])).toEqual(['KEY'])
    const events = under.state.events.all()
    expect(events.map((event) => event.type)).toEqual(['secret.set', 'secret.set', 'secret.removed'])
    expect(JSON.stringify(events)).not.toContain('hunter')
  })

  it('are nowhere in the store’s bytes', async () => {
    await secrets.set({ app: 'shop', name: 'KEY' }, 'hunter2-plain-text', admin)
    const { items } = await under.store.list('/')
    expect(items.some((item) => item.key === '/secrets/shop/_/KEY')).toBe(true)
    expect(JSON.stringify(items)).not.toContain('hunter2-plain-text')
    expect(JSON.stringify(items)).not.toContain(Buffer.from('hunter2-plain-text').toString('base64'))
  })

  it.each([
    [{ app: 'nope', name: 'KEY' }, 'app.not-found'],
    [{ app: 'shop', name: '../KEY' }, 'name.invalid'],
    [{ app: 'shop', name: 'a b;$(id)' }, 'name.invalid'],
    [{ app: 'shop', name: 'KEY', environment: '_' }, 'name.invalid'],
    [{ app: 'shop/x', name: 'KEY' }, 'name.invalid'],
  ])('refuse %j with %s', async (secret, code) => {
    await expect(secrets.set(secret, 'v', admin)).rejects.toMatchObject({ code })
  })

  it('refuse what is too large and removing what is not there', async () => {
    const large = secrets.set({ app: 'shop', name: 'KEY' }, 'x'.repeat(maxSecretBytes + 1), admin)
    await expect(large).rejects.toMatchObject({ code: 'secret.too-large' })
    await expect(secrets.remove({ app: 'shop', name: 'KEY' }, admin)).rejects.toMatchObject({
      code: 'secret.not-found',
    })
  })

  it('tell at start that the key is another one, and leave a broken value out later, without a word of it in the log', async () => {
    await secrets.set({ app: 'shop', name: 'KEY' }, 'hunter2', admin)
    await rm(path)
    const otherKey = await openSecretKey(path, { sealedValuesExist: false })
    const lines: string[] = []
    const sink = new Writable({
      write: (chunk, _, done) => {
        lines.push(String(chunk))
        done()
      },
    })
    const other = new Secrets({ records: under.records, key: otherKey, log: pino(sink) })
    expect(() => other.verifyKey()).toThrow(expect.objectContaining({ code: 'secrets.cannot-open' }))
    expect(other.valuesFor('shop', 'x', ['KEY'])).toEqual(new Map())
    expect(lines.join()).toContain('goes without secret KEY')
    expect(lines.join()).not.toContain('hunter2')
  })
})
