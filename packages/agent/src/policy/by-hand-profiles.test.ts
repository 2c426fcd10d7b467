import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type EndpointRecord, EndpointRecords } from '../network/plugin/endpoint-records.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { ByHandWatch } from './by-hand-profiles.ts'

const log = pino({ level: 'silent' })
let directory: string
let records: EndpointRecords
let watch: ByHandWatch
let changes: number

const open = async (): Promise<void> => {
  changes = 0
  watch = new ByHandWatch({ records, directory, log, onChange: () => (changes += 1) })
  await watch.start()
}
const record = (id: string, address: string, ...profiles: string[]): EndpointRecord => ({
  ...{ id, network: 'n1', addresses: [address], mac: 'be:00:0a:4d:01:f0', link: `berth-${id}`, peer: `berthc-${id}` },
  ...{ createdAt: 1, ...(profiles.length === 0 ? {} : { profiles }) },
})

beforeEach(async () => {
  directory = join(mkdtempSync(join(tmpdir(), 'berth-by-hand-')), 'endpoints')
  records = new EndpointRecords(directory)
  await open()
})
afterEach(async () => {
  await watch[Symbol.asyncDispose]()
  rmSync(join(directory, '..'), { recursive: true })
})

describe('ByHandWatch', () => {
  it('sees containers that name profiles as netd notes them and as they go, and no others', async () => {
    await records.put(record('plain', '10.77.1.239'))
    await records.put(record('one', '10.77.1.240', 'web', 'db'))
    await waitUntil('the first', () => changes === 1)
    expect(watch.wishes).toEqual([{ address: '10.77.1.240', profiles: ['web', 'db'] }])
    await records.put(record('two', '10.77.1.241', 'web'))
    await waitUntil('the second', () => watch.wishes.length === 2)
    await records.remove('one')
    await waitUntil('the end of the first', () => watch.wishes.length === 1)
    expect(watch.wishes).toEqual([{ address: '10.77.1.241', profiles: ['web'] }])
  })

  it('tells netd of what is in force: of that container, and of none that had its address before', async () => {
    await records.put(record('one', '10.77.1.240', 'web'))
    await waitUntil('it', () => changes === 1)
    await watch.inForce(new Map([['10.77.1.240', ['default']]]))
    await watch.inForce(new Map())
    expect(await records.isInForce('one')).toBe(false)
    await watch.inForce(new Map([['10.77.1.240', ['web']]]))
    expect(await records.isInForce('one')).toBe(true)
    // Seen too late: another has its address by now.
    await records.put(record('two', '10.77.1.241', 'web'))
    await waitUntil('it', () => watch.wishes.length === 2)
    await records.remove('two')
    await records.put(record('three', '10.77.1.241', 'web'))
    await watch.inForce(new Map([['10.77.1.241', ['web']]]))
    expect([await records.isInForce('two'), await records.isInForce('three')]).toEqual([false, false])
    await records.remove('one')
    expect(await records.isInForce('one')).toBe(false)
  })

  it('knows at its start what there is and what has been told', async () => {
    await records.put(record('one', '10.77.1.240', 'web'))
    await waitUntil('it', () => changes === 1)
    await watch[Symbol.asyncDispose]()
    await open()
    expect([changes, watch.wishes]).toEqual([1, [{ address: '10.77.1.240', profiles: ['web'] }]])
  })
})
