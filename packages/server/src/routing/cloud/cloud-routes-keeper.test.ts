import type { Node } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CloudTableStatus } from '../../records/index.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../../records/open-records.testing.ts'
import { CloudRoutesKeeper } from './cloud-routes-keeper.ts'
import { FakeProvider } from './fake-provider.testing.ts'
import { HttpRouteTable } from './http-route-table.ts'

const owner = 'berth:1'
const within = { timeout: 20_000, interval: 20 }
let under: RecordsUnderTest
let provider: FakeProvider
let keeper: CloudRoutesKeeper | undefined

beforeEach(async () => {
  under = await openTemporaryRecords()
  provider = await FakeProvider.start()
})
afterEach(async () => {
  await keeper?.[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
  await under[Symbol.asyncDispose]()
})

const addNode = (number: number) =>
  under.records.commit('system:test', (tx) => {
    const node = { name: `n${number}`, block: `10.77.${number}.0/24`, address: `10.0.0.${number}`, labels: {} }
    tx.put('nodes', { ...node, schedulable: true, joinedAt: number } as unknown as Node)
  })
const removeNode = (number: number) => under.records.commit('system:test', (tx) => tx.delete('nodes', `n${number}`))
const start = (): void => {
  keeper = new CloudRoutesKeeper({
    ...{ records: under.records, owner, log: pino({ level: 'silent' }), lookMs: 50 },
    tables: () => [{ name: 'vpc', url: provider.url }],
    open: ({ name, url }) => new HttpRouteTable({ name, url }),
  })
}
const status = (): CloudTableStatus | undefined => under.state.cloudTables.get('vpc')
const inForce = (): string[] => (status()?.inForce ?? []).map(({ node }) => node).sort()
const until = (check: () => void) => vi.waitFor(check, within)

describe('the entries of nodes in a provider’s table', () => {
  it('come and go with nodes, and are said to be in force once they are to be seen', async () => {
    await addNode(1)
    await addNode(2)
    provider.staleLists = 2
    start()
    await until(() => expect(inForce()).toEqual(['n1', 'n2']))
    expect([...provider.entries.values()]).toEqual([
      { destination: '10.77.1.0/24', nextHop: '10.0.0.1', owner },
      { destination: '10.77.2.0/24', nextHop: '10.0.0.2', owner },
    ])
    expect(provider.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(2)
    await removeNode(1)
    await until(() => expect([...provider.entries.keys()]).toEqual(['10.77.2.0/24']))
  })

  it('leave others’ alone, and say whose is in the way', async () => {
    provider.entries.set('10.77.1.0/24', { destination: '10.77.1.0/24', nextHop: 'nat-1', owner: 'terraform' })
    provider.entries.set('0.0.0.0/0', { destination: '0.0.0.0/0', nextHop: 'igw-1' })
    await addNode(1)
    await addNode(2)
    start()
    await until(() => expect(inForce()).toEqual(['n2']))
    expect(status()?.failed).toMatchObject([{ node: 'n1', why: expect.stringContaining('via nat-1, of terraform') }])
    expect(provider.entries.get('0.0.0.0/0')?.nextHop).toBe('igw-1')
    expect(provider.calls).not.toContain('PUT /vpc-1/routes/10.77.1.0/24')
  })

  it('are never all taken away', async () => {
    await addNode(1)
    start()
    await until(() => expect(inForce()).toEqual(['n1']))
    await removeNode(1)
    await until(() => expect(status()?.problem).toContain('a table is not emptied: 10.77.1.0/24'))
    expect([...provider.entries.keys()]).toEqual(['10.77.1.0/24'])
  })

  it('are those that fit, and the others say so', async () => {
    provider.quota = 1
    await addNode(1)
    await addNode(2)
    start()
    await until(() => expect(status()?.failed).toMatchObject([{ node: 'n2' }]))
    expect(status()?.failed[0]?.why).toContain('1 entries at most')
    await until(() => expect(inForce()).toEqual(['n1']))
  })

  it('stay as they are known while the service is away, too busy, or answers nonsense', async () => {
    await addNode(1)
    start()
    await until(() => expect(inForce()).toEqual(['n1']))
    provider.broken = '<html>'
    await addNode(2)
    await until(() => expect(status()?.problem).toContain('no JSON'))
    expect(inForce()).toEqual(['n1'])
    expect(status()?.pending.map(({ node }) => node)).toEqual(['n2'])
    provider.broken = undefined
    provider.tooFast = 1
    await addNode(3)
    await until(() => expect(inForce()).toEqual(['n1', 'n2', 'n3']))
    expect(status()?.problem).toBeUndefined()
  })
})
