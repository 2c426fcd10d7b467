import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { FailureLimit, sourceOf } from './failure-limit.ts'
import { mayActAs, requireRole } from './identity.ts'
import { Sessions } from './sessions.ts'
import { Tokens } from './tokens.ts'

const admin = { actor: 'local:0' }
const key = { derive: (purpose: string) => Buffer.from(purpose.padEnd(32, '.')) }
let now = 1_000_000
let under: RecordsUnderTest
let tokens: Tokens

beforeEach(async () => {
  now = 1_000_000
  under = await openTemporaryRecords({ now: () => now })
  tokens = new Tokens(under.records, () => now)
})
afterEach(async () => await under[Symbol.asyncDispose]())

const create = (name: string, change: { ttlMs?: number } = {}) =>
  tokens.create({ name, owner: 'Ann', role: 'deployer', ...change }, admin)

describe('tokens', () => {
  it('are shown once and kept as hashes', async () => {
    const { text, record } = await create('ci_main')
    expect(text).toMatch(/^berth_ci_main_[0-9a-f]{48}$/)
    expect(tokens.authenticate(text)).toEqual(record)
    expect(JSON.stringify((await under.store.list('/')).items)).not.toContain(text)
    expect(under.state.events.all()).toMatchObject([{ type: 'token.created', actor: 'local:0' }])
  })

  it.each(['', 'hello', 'berth_ci_', `berth_ci_${'0'.repeat(48)}`, `berth_no_${'0'.repeat(48)}`, 'berth_../x_00'])(
    'refuse %j',
    async (text) => {
      await create('ci')
      expect(() => tokens.authenticate(text)).toThrow(expect.objectContaining({ code: 'auth.invalid-token' }))
    },
  )

  it('end at their time and when revoked', async () => {
    const { text } = await create('ci', { ttlMs: 1_000 })
    now += 1_000
    expect(() => tokens.authenticate(text)).toThrow(expect.objectContaining({ code: 'auth.token-expired' }))
    await tokens.remove('ci', admin)
    expect(() => tokens.authenticate(text)).toThrow(expect.objectContaining({ code: 'auth.invalid-token' }))
    await expect(tokens.remove('ci', admin)).rejects.toMatchObject({ code: 'token.not-found' })
  })

  it.each([
    [{ name: 'a b', owner: 'Ann' }, 'name.invalid'],
    [{ name: '../x', owner: 'Ann' }, 'name.invalid'],
    [{ name: 'x$(id)', owner: 'Ann' }, 'name.invalid'],
    [{ name: 'x', owner: ' ' }, 'token.invalid-owner'],
  ])('refuse to be made from %j', async (input, code) => {
    await expect(tokens.create({ ...input, role: 'admin' }, admin)).rejects.toMatchObject({ code })
  })

  it('have names of their own', async () => {
    await create('ci')
    await expect(create('ci')).rejects.toMatchObject({ code: 'token.exists' })
  })
})

describe('sessions', () => {
  it('carry the token’s identity until they expire', async () => {
    const sessions = new Sessions(key, tokens, () => now)
    const { text } = await create('ci')
    const session = sessions.open(text)
    expect(session.maxAgeSeconds).toBe(12 * 3600)
    expect(session.value).not.toContain(text)
    expect(sessions.authenticate(session.value).name).toBe('ci')
    now += 12 * 3_600_000
    expect(() => sessions.authenticate(session.value)).toThrow(
      expect.objectContaining({ code: 'auth.session-expired' }),
    )
  })

  it('end with their token, also when one of the same name is made', async () => {
    const sessions = new Sessions(key, tokens, () => now)
    const { value } = sessions.open((await create('ci')).text)
    await tokens.remove('ci', admin)
    expect(() => sessions.authenticate(value)).toThrow(expect.objectContaining({ code: 'auth.invalid-session' }))
    await create('ci')
    expect(() => sessions.authenticate(value)).toThrow(expect.objectContaining({ code: 'auth.invalid-session' }))
  })

  it('cannot be forged', async () => {
    const sessions = new Sessions(key, tokens, () => now)
    const { text } = await create('ci')
    const [body = '', signature = ''] = sessions.open(text).value.split('.')
    const changed = Buffer.from(body, 'base64url').toString().replace('ci', 'cj')
    for (const value of ['', 'a.b', `${body}.`, `${Buffer.from(changed).toString('base64url')}.${signature}`])
      expect(() => sessions.authenticate(value)).toThrow(expect.objectContaining({ code: 'auth.invalid-session' }))
  })
})

describe('the limit of failures', () => {
  const limited = expect.objectContaining({ code: 'auth.too-many-failures', retryable: true })

  it('refuses a name from an address after ten failures, for a minute', () => {
    const limit = new FailureLimit({ now: () => now })
    for (let i = 0; i < 10; i += 1) {
      limit.check('192.0.2.1', 'ci')
      limit.failed('192.0.2.1', 'ci')
    }
    expect(() => limit.check('192.0.2.1', 'ci')).toThrow(limited)
    expect(() => limit.check('192.0.2.1', 'other')).not.toThrow()
    expect(() => limit.check('192.0.2.2', 'ci')).not.toThrow()
    now += 60_000
    expect(() => limit.check('192.0.2.1', 'ci')).not.toThrow()
  })

  it('refuses an address that goes through names', () => {
    const limit = new FailureLimit({ now: () => now })
    for (let i = 0; i < 60; i += 1) limit.failed('192.0.2.1', `n${i}`)
    expect(() => limit.check('192.0.2.1', 'fresh')).toThrow(limited)
  })

  it('is none over all addresses unless asked for, and then is not forgotten under a flood of them', () => {
    const [open, closed] = [new FailureLimit({ now: () => now }), new FailureLimit({ now: () => now, overall: 100 })]
    for (let i = 0; i < 12_000; i += 1) {
      open.failed(`198.51.${i >> 8}.${i & 255}`, 'x')
      closed.failed(`198.51.${i >> 8}.${i & 255}`, 'x')
    }
    expect(() => open.check('192.0.2.1', 'ci')).not.toThrow()
    expect(() => closed.check('192.0.2.1', 'ci')).toThrow(limited)
  })

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('counts %s as %s', (address, source) => expect(sourceOf(address)).toBe(source))
})

describe('roles', () => {
  it('include the lesser ones', () => {
    const roles = ['viewer', 'deployer', 'admin'] as const
    const table = roles.map((role) => roles.map((needed) => mayActAs({ actor: 'x', role }, needed)))
    expect(table).toEqual([
      [true, false, false],
      [true, true, false],
      [true, true, true],
    ])
    expect(() => requireRole({ actor: 'token:a', role: 'viewer' }, 'admin', 'make a token')).toThrow(
      expect.objectContaining({
        code: 'auth.forbidden',
        message:
          'make a token: that needs the role admin, and token:a has the role viewer; an admin makes a token that may: berth token create NAME --role admin',
      }),
    )
  })
})
