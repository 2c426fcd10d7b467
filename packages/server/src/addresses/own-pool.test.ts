import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Authority, openAuthority } from '../authority/authority.ts'
import { createRequest } from '../authority/certificate-request.testing.ts'
import { Enrolment } from '../authority/enrolment.ts'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { OwnPoolNote, requireOwnPool } from './own-pool.ts'
import { addressPoolsOf } from './pools-of.ts'

const told = '10.102.0.0/16'
const other = '10.77.0.0/16'
const log = pino({ level: 'silent' })
let directory: string
let authority: Authority
let under: RecordsUnderTest

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-own-pool-'))
  authority = await openAuthority(directory)
})
afterAll(async () => await rm(directory, { recursive: true, force: true }))
beforeEach(async () => {
  under = await openTemporaryRecords()
})
afterEach(async () => await under[Symbol.asyncDispose]())

async function enrol(name: string, addressPool: string): Promise<string> {
  const enrolment = new Enrolment({ records: under.records, authority, addressPool })
  const { token } = await enrolment.createToken({ ttlMs: 60_000 }, { actor: 'token:ann' })
  const { requestPem: certificateRequestPem } = await createRequest(name)
  const address = `192.0.2.${name.charCodeAt(0)}`
  const request = { ...{ token, name, labels: {}, certificateRequestPem }, address, from: '192.0.2.1' }
  return (await enrolment.join(request)).node.block
}
const note = (range: string) => new OwnPoolNote({ records: under.records, range, log })
const noted = () => under.state.addressPools.all().map(({ name, range }) => `${name} ${range}`)

describe('the pool of the cluster', () => {
  it('is in the store from the first block on, and holds for servers that were told another', async () => {
    using first = note(told)
    expect(noted()).toEqual([])
    expect(await enrol('a', told)).toBe('10.102.0.0/24')
    await eventually(() => expect(noted()).toEqual([`default ${told}`]))
    first[Symbol.dispose]()
    using _second = note(other)
    requireOwnPool(under.state, other)
    expect(await enrol('b', other)).toBe('10.102.1.0/24')
    expect(addressPoolsOf(under.state, other)).toMatchObject([{ name: 'default', range: told }])
    expect(noted()).toEqual([`default ${told}`])
  })

  it('is written down by the next leader where a cluster from before has nodes', async () => {
    await enrol('a', told)
    using _leader = note(told)
    await eventually(() => expect(noted()).toEqual([`default ${told}`]))
  })

  it('is not to be another than that of the nodes that are there', async () => {
    requireOwnPool(under.state, other)
    await enrol('a', told)
    requireOwnPool(under.state, told)
    expect(() => requireOwnPool(under.state, other)).toThrow(
      expect.objectContaining({
        code: 'server.other-address-pool',
        message: expect.stringContaining('node a has the block 10.102.0.0/24'),
      }),
    )
    using _leader = note(other)
    expect(noted()).toEqual([])
  })
})
