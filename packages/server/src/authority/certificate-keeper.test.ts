import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { type Authority, openAuthority } from './authority.ts'
import type { KeyPairPem } from './certificate-factory.ts'
import { CertificateKeeper } from './certificate-keeper.ts'

const dayMs = 86_400_000
const lifetimes = { authorityMs: 900 * dayMs, serverMs: 30 * dayMs, nodeMs: 30 * dayMs }
const logged: string[] = []
const log = pino({ level: 'error' }, { write: (line) => void logged.push(line) })

let directory: string
let under: RecordsUnderTest
let authority: Authority
let now: number
const given = { server: [] as KeyPairPem[], operator: [] as KeyPairPem[], rotations: 0 }

beforeEach(async () => {
  now = Date.now()
  directory = await mkdtemp(join(tmpdir(), 'berth-keeper-'))
  under = await openTemporaryRecords()
  authority = await openAuthority(join(directory, 'authority'), { now: () => now, lifetimes })
  Object.assign(given, { server: [], operator: [], rotations: 0 })
})
afterEach(async () => {
  await under[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

const files = () => ({ certificateFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') })

/** A certificate of somebody else's authority, good for so many days. */
async function writeOperator(days: number): Promise<void> {
  const other = await openAuthority(join(directory, `other-${days}`), {
    now: () => now,
    lifetimes: { ...lifetimes, serverMs: days * dayMs },
  })
  const pair = await other.serverCertificate(['api.example.com'])
  await writeFile(files().certificateFile, pair.certificatePem)
  await writeFile(files().keyFile, pair.keyPem)
}

async function keep(operator = false): Promise<CertificateKeeper> {
  const { records } = under
  const base = {
    mayRotate: () => true,
    authority,
    names: ['10.0.0.1'],
    records,
    log,
    now: () => now,
    checkMs: 10,
  }
  const keeper = await CertificateKeeper.open(operator ? { ...base, operator: files() } : base)
  await keeper.watch({
    onServerCertificate: (pair) => void given.server.push(pair),
    onOperatorCertificate: (pair) => void given.operator.push(pair),
    onRotated: () => {
      given.rotations += 1
    },
  })
  return keeper
}

const events = () => under.state.events.all().map(({ type, message }) => `${type} ${message}`)

describe('the server', () => {
  it('renews its certificate and its authority in time, and says so', async () => {
    await using keeper = await keep()
    expect(given.server).toEqual([])
    now += 25 * dayMs
    await eventually(() => expect(given.server).toHaveLength(1))
    expect(given.server[0]).toEqual(keeper.server)
    now += 580 * dayMs
    await eventually(() => expect(given.rotations).toBe(1))
    await eventually(() => expect(given.server).toHaveLength(2))
    expect(authority.previous).toBeDefined()
    await eventually(() =>
      expect(events().filter((each) => each.startsWith('server.certificate-renewed'))).toHaveLength(2),
    )
    expect(events().filter((each) => each.startsWith('authority.rotated'))).toHaveLength(1)
    expect(keeper.problems()).toEqual([])
  })

  it('says, in time, that contexts have to learn the new authority', async () => {
    await using keeper = await keep()
    now += 601 * dayMs
    await eventually(() => expect(given.rotations).toBe(1))
    now += 200 * dayMs
    await eventually(() => expect(keeper.problems().join()).toContain('berth status'))
    now += 100 * dayMs
    await eventually(() => expect(keeper.problems()).toEqual([]))
  })

  it('tells a renewal that fails once, and when it has come right', async () => {
    await using keeper = await keep()
    const path = join(directory, 'authority')
    await rename(path, `${path}.away`)
    now += 25 * dayMs
    await eventually(() => expect(keeper.problems()[0]).toContain('renew the server’s certificate: write '))
    const told = () => events().filter((each) => each.includes('certificate-problem'))
    await eventually(() => expect(told()).toHaveLength(1))
    const failures = logged.length
    await eventually(() => expect(logged.length).toBeGreaterThan(failures + 2))
    await rename(`${path}.away`, path)
    await eventually(() => expect(keeper.problems()).toEqual([]))
    expect(given.server).toHaveLength(1)
    expect(told()).toHaveLength(1)
  })
})

describe('a certificate of the operator', () => {
  it('is read again when its files change, and spoken of before it ends', async () => {
    await writeOperator(20)
    await using keeper = await keep(true)
    expect(keeper.problems()).toEqual([])
    now += 10 * dayMs
    await eventually(() => expect(keeper.problems().join()).toContain('cert.pem ends on'))
    now += 11 * dayMs
    await eventually(() => expect(keeper.problems().join()).toContain('cert.pem ended on'))
    await writeOperator(90)
    await eventually(() => expect(given.operator).toHaveLength(1))
    await eventually(() => expect(keeper.problems()).toEqual([]))
    expect(given.operator[0]).toEqual(keeper.operator)
  })

  it('that cannot be read any more is a problem; the one known stays', async () => {
    await writeOperator(90)
    await using keeper = await keep(true)
    const before = keeper.operator
    await rm(files().keyFile)
    await eventually(() => expect(keeper.problems().join()).toContain('key.pem'))
    expect(keeper.operator).toBe(before)
  })

  it('that is not there at the start keeps the server from starting', async () => {
    await expect(keep(true)).rejects.toMatchObject({ code: 'server.certificate-unreadable' })
  })
})
