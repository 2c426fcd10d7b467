import type { Instance, InstanceStatus, Node } from '@berth/core'
import { expect, it } from 'vitest'
import { openTemporaryRecords } from '../records/open-records.testing.ts'
import { instance } from '../records/sample-records.testing.ts'
import { stayingOn } from './staying.ts'

const plain: Node = {
  ...{ name: 'h2', labels: {}, block: '10.77.2.0/24', address: '192.0.2.2', schedulable: true, joinedAt: 1 },
  certificateFingerprint: 'a',
}
const drained: Node = { ...plain, drain: { since: 1, by: 'token:mai', limit: 1 } }
const service = (ordinal: number, over: Partial<Instance> = {}): Instance => ({
  ...instance(`shop.production.web-${ordinal}`),
  ...{ ordinal, node: 'h2' },
  ...over,
})

async function staying(
  instances: readonly Instance[],
  {
    statuses = [],
    online = true,
    behind = [],
  }: {
    readonly statuses?: readonly InstanceStatus[]
    readonly online?: boolean
    readonly behind?: readonly string[]
  } = {},
) {
  await using records = await openTemporaryRecords()
  await records.records.commit('system:test', (tx) => {
    for (const each of instances) tx.put('instances', each)
    for (const each of statuses) tx.put('statuses', each)
  })
  const all =
    stayingOn({ state: records.state, isOnline: () => online, traffic: { gatewaysBehind: () => behind } }, drained) ??
    []
  return all.map(({ instance: id, why }) => `${id.split('.')[2]} ${why}`)
}

it('a node that is not drained has nobody who should leave', async () => {
  await using records = await openTemporaryRecords()
  expect(
    stayingOn({ state: records.state, isOnline: () => true, traffic: { gatewaysBehind: () => [] } }, plain),
  ).toBeUndefined()
})

it('tells of each on a drained node what it waits for, those on their way first', async () => {
  const { node: _, ...unplaced } = service(9, { unplaced: '2 nodes: 1 drained, 1 without room' })
  const told = await staying([
    service(1),
    service(2, { desired: 'drain' }),
    service(3, { desired: 'stop' }),
    { ...service(4), entrypoint: 'report', id: 'shop.production.report-4', type: 'job' },
    unplaced,
  ])
  expect(told).toEqual([
    'web-2 finishes the requests that it has',
    'web-3 has been told to stop',
    'report-4 is a job, which runs to its end',
    'web-1 waits for shop.production.web-9, which finds no place: 2 nodes: 1 drained, 1 without room',
  ])
})

it('names the gateways that have not let go of one that drains', async () => {
  const told = async (...behind: string[]) => await staying([service(2, { desired: 'drain' })], { behind })
  expect(await told('h7')).toEqual(['web-2 waits for the gateway of h7 to let it go'])
  expect(await told('a', 'b', 'c', 'd', 'e')).toEqual([
    'web-2 waits for the gateways of a, b, c and 2 more to let it go',
  ])
})

it.each<[string, Partial<Instance>, Partial<InstanceStatus>, string]>([
  ['that is not ready', {}, { message: 'GET / answered 503' }, 'on h3 to be ready: GET / answered 503'],
  ['that waits itself', { waitsFor: ['a.b.c-1'] }, {}, 'whose place on h3 is kept until a.b.c-1 left'],
])('names the successor %s', async (_, over, status, why) => {
  const report = { id: 'shop.production.web-9', node: 'h3', phase: 'running', ready: false, restarts: 0, ...status }
  const told = await staying([service(1), service(9, { node: 'h3', ...over })], {
    statuses: [report as InstanceStatus],
  })
  expect(told).toHaveLength(1)
  expect(told[0]).toMatch(/^web-1 waits for shop\.production\.web-9[ ,]/)
  expect(told[0]).toContain(why)
})

it('says whose turn is later, and who can only be forgotten', async () => {
  expect(await staying([service(1)])).toEqual(['web-1 has its turn later: 1 at a time'])
  const [told] = await staying([service(3, { desired: 'stop' })], { online: false })
  expect(told).toBe('web-3 was told to stop, and h2 is offline: it is forgotten with it (berth node rm h2)')
})

it('tells of twenty at most', async () => {
  expect(await staying(Array.from({ length: 30 }, (_, index) => service(index + 1)))).toHaveLength(20)
})
