import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Groups } from '../groups/groups.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { type Authority, openAuthority } from './authority.ts'
import { createRequest } from './certificate-request.testing.ts'
import { Enrolment } from './enrolment.ts'

const admin = { actor: 'local:0' }
let now = Date.now()
let directory: string
let under: RecordsUnderTest
let authority: Authority
let enrolment: Enrolment

beforeEach(async () => {
  now = Date.now()
  directory = await mkdtemp(join(tmpdir(), 'berth-enrolment-'))
  under = await openTemporaryRecords({ now: () => now })
  authority = await openAuthority(directory)
  enrolment = new Enrolment({ records: under.records, authority, addressPool: '10.77.0.0/22', now: () => now })
})
afterEach(async () => {
  await under[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

const newToken = async (): Promise<string> => (await enrolment.createToken({ ttlMs: 60_000 }, admin)).token
/** Each node at one of its own. */
const addressOf = (name: string): string => `192.0.2.${name.charCodeAt(0)}`
const request = async (token: string, name: string, change: object = {}) => ({
  token,
  name,
  address: addressOf(name),
  labels: {},
  from: '192.0.2.1',
  certificateRequestPem: (await createRequest(name)).requestPem,
  ...change,
})

describe('enrolment', () => {
  it('gives a node a certificate, a block and a trace, and keeps no token in clear', async () => {
    const token = await newToken()
    const { node, certificatePem } = await enrolment.join(await request(token, 'a', { labels: { gateway: 'true' } }))
    const certificate = new X509Certificate(certificatePem)
    expect(certificate.subject).toBe('CN=a')
    expect(under.state.nodes.get('a')).toEqual(node)
    expect(node).toMatchObject({ block: '10.77.0.0/24', labels: { gateway: 'true' }, schedulable: true })
    expect(node.certificateFingerprint).toBe(certificate.fingerprint256.replaceAll(':', '').toLowerCase())
    expect(under.state.events.all().map((event) => [event.type, event.actor])).toEqual([
      ['node.token-created', 'local:0'],
      ['node.joined', 'node:a'],
    ])
    const { items } = await under.store.list('/')
    const secret = token.split('.')[0] ?? ''
    expect(items.length).toBeGreaterThan(3)
    expect(items.filter((item) => `${item.key}${item.value}`.includes(secret))).toEqual([])
  })

  it('gives each of many that join at once a block of its own, until there is none', async () => {
    const names = ['a', 'b', 'c', 'd']
    const requests = await Promise.all(names.map(async (name) => await request(await newToken(), name)))
    await Promise.all(requests.map((each) => enrolment.join(each)))
    const blocks = [...under.state.nodes.values()].map((node) => node.block).sort()
    expect(blocks).toEqual(['10.77.0.0/24', '10.77.1.0/24', '10.77.2.0/24', '10.77.3.0/24'])
    await expect(enrolment.join(await request(await newToken(), 'e'))).rejects.toMatchObject({
      code: 'network.pool-exhausted',
    })
  })

  it('lets one of two win that use the same token at once', async () => {
    const token = await newToken()
    const outcomes = await Promise.allSettled([
      enrolment.join(await request(token, 'a')),
      enrolment.join(await request(token, 'b')),
    ])
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(under.state.nodes.size).toBe(1)
  })

  it('calls a replayed token by its name, until long after its time', async () => {
    const token = await newToken()
    await enrolment.join(await request(token, 'a'))
    await expect(enrolment.join(await request(token, 'b'))).rejects.toMatchObject({
      code: 'join.token-used',
      message: expect.stringContaining('node a'),
    })
    now += 8 * 86_400_000
    await newToken()
    await expect(enrolment.join(await request(token, 'b'))).rejects.toMatchObject({ code: 'join.invalid-token' })
  })

  it('refuses an expired token', async () => {
    const token = await newToken()
    now += 60_000
    await expect(enrolment.join(await request(token, 'a'))).rejects.toMatchObject({ code: 'join.token-expired' })
  })

  it('refuses a name that is taken and leaves the token usable', async () => {
    await enrolment.join(await request(await newToken(), 'a'))
    const token = await newToken()
    await expect(enrolment.join(await request(token, 'a'))).rejects.toMatchObject({ code: 'node.exists' })
    const { node } = await enrolment.join(await request(token, 'b'))
    expect(node.block).toBe('10.77.1.0/24')
  })

  it('refuses the address of another node, before and at joining, until that one is gone', async () => {
    const { node } = await enrolment.join(await request(await newToken(), 'a'))
    const token = await newToken()
    const same = await request(token, 'b', { address: node.address })
    const refused = {
      code: 'node.invalid-address',
      message: expect.stringMatching(/where node a is reached; .*node rm a/),
    }
    expect(enrolment.problemsOf(same)).toEqual([refused])
    await expect(enrolment.join(same)).rejects.toMatchObject(refused)
    await under.records.commit('system', (tx) => tx.delete('nodes', 'a'))
    expect((await enrolment.join(same)).node.name).toBe('b')
  })

  it('lets one of two in that come with one address at once', async () => {
    const [first, second] = [await newToken(), await newToken()]
    const address = '192.0.2.200'
    const results = await Promise.allSettled([
      enrolment.join(await request(first, 'a', { address })),
      enrolment.join(await request(second, 'b', { address })),
    ])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('tells all that would keep a machine out at once, and uses nothing up', async () => {
    await enrolment.join(await request(await newToken(), 'a'))
    const token = await newToken()
    const asked = { token, name: 'a', address: 'nowhere', labels: { 'a b': 'c' }, from: '192.0.2.1' }
    const codes = (problems: readonly { code: string }[]) => problems.map(({ code }) => code)
    expect(codes(enrolment.problemsOf(asked))).toEqual(['node.invalid-address', 'node.invalid-label', 'node.exists'])
    now += 60_000
    expect(codes(enrolment.problemsOf({ ...asked, name: 'b', address: '192.0.2.1', labels: {} }))).toEqual([
      'join.token-expired',
    ])
    const fresh = await newToken()
    expect(enrolment.problemsOf({ ...asked, token: fresh, name: 'b', address: '::1', labels: {} })).toEqual([])
    expect((await enrolment.join(await request(fresh, 'b'))).node.name).toBe('b')
  })

  it('takes asking for a guess, so that no token can be found by asking', async () => {
    const asked = { token: 'x', name: 'b', address: '::1', labels: {}, from: '192.0.2.7' }
    for (let guess = 0; guess < 10; guess += 1) expect(enrolment.problemsOf(asked)).toHaveLength(1)
    expect(() => enrolment.problemsOf(asked)).toThrow(/too many attempts/)
  })

  it('puts a machine into the group that its token is for, which has to be there', async () => {
    await expect(enrolment.createToken({ ttlMs: 60_000, group: 'fast' }, admin)).rejects.toMatchObject({
      code: 'group.not-found',
    })
    await new Groups(under.records).create('fast', {}, admin)
    const { token } = await enrolment.createToken({ ttlMs: 60_000, group: 'fast' }, admin)
    expect((await enrolment.join(await request(token, 'a'))).node.group).toBe('fast')
    const plain = await enrolment.createToken({ ttlMs: 60_000, group: 'default' }, admin)
    expect((await enrolment.join(await request(plain.token, 'b'))).node.group).toBeUndefined()
  })

  it.each([
    { what: 'no token', change: { token: 'hello' }, code: 'join.invalid-token' },
    {
      what: 'an unknown token',
      change: { token: (good: string) => `${'x'.repeat(32)}.${good.split('.')[1]}` },
      code: 'join.invalid-token',
    },
    {
      what: 'a token of another cluster',
      change: { token: (good: string) => `${good.split('.')[0]}.${'0'.repeat(64)}` },
      code: 'join.wrong-cluster',
    },
    { what: 'a name for a shell', change: { name: 'a;rm -rf /' }, code: 'name.invalid' },
    { what: 'a name for a path', change: { name: '../a' }, code: 'name.invalid' },
    { what: 'no address', change: { address: 'here$(id)' }, code: 'node.invalid-address' },
    { what: 'a label for a shell', change: { labels: { 'a`id`': 'x' } }, code: 'node.invalid-label' },
    { what: 'a label with a line break', change: { labels: { a: 'x\ny' } }, code: 'node.invalid-label' },
    { what: 'a request of another name', change: { certificateRequestPem: 'x' }, code: 'join.invalid-request' },
  ])('refuses $what and writes nothing', async ({ change, code }) => {
    const good = await newToken()
    const { revision } = under.state
    const token = 'token' in change ? (typeof change.token === 'function' ? change.token(good) : change.token) : good
    await expect(enrolment.join(await request(token, 'a', { ...change, token }))).rejects.toMatchObject({ code })
    expect(under.state.revision).toBe(revision)
  })
})

describe('guessing join tokens', () => {
  const guess = async (good: string, from: string) => {
    const token = `${'x'.repeat(32)}.${good.split('.')[1]}`
    await expect(enrolment.join(await request(token, 'a', { from }))).rejects.toMatchObject({
      code: 'join.invalid-token',
    })
  }
  const limited = { code: 'join.too-many-failures', retryable: true, details: { retryAfterMs: 60_000 } }

  it('shuts the address out for a minute, also with a good token, and nobody else', async () => {
    const good = await newToken()
    for (let attempt = 0; attempt < 10; attempt += 1) await guess(good, '192.0.2.66')
    await expect(enrolment.join(await request(good, 'a', { from: '192.0.2.66' }))).rejects.toMatchObject(limited)
    await enrolment.join(await request(await newToken(), 'b', { from: '192.0.2.67' }))
    now += 59_000
    await expect(enrolment.join(await request(good, 'a', { from: '192.0.2.66' }))).rejects.toMatchObject({
      message: 'too many attempts to join with a wrong token; try again in 1 s',
    })
    await enrolment.join(await request(good, 'a', { from: '192.0.2.67' }))
    now += 1_000
    await enrolment.join(await request(await newToken(), 'c', { from: '192.0.2.66' }))
  })

  it('from many addresses shuts joining for everybody', async () => {
    const good = await newToken()
    for (let attempt = 0; attempt < 200; attempt += 1) await guess(good, `198.51.${attempt >> 3}.1`)
    await expect(enrolment.join(await request(good, 'a', { from: '192.0.2.1' }))).rejects.toMatchObject(limited)
  })

  it('does not count what is wrong with the rest of a request', async () => {
    const token = await newToken()
    for (let attempt = 0; attempt < 12; attempt += 1)
      await expect(enrolment.join(await request(token, 'a', { address: 'here' }))).rejects.toMatchObject({
        code: 'node.invalid-address',
      })
    await enrolment.join(await request(token, 'a'))
  })
})
