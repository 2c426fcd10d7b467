import type { CloudRoute } from '@berth/core'
import { expect, it } from 'vitest'
import type { CloudRouteTable } from './cloud-route-table.ts'

export interface TableUnderTest extends AsyncDisposable {
  readonly table: CloudRouteTable
  /** What the provider has, and may be given by others. */
  readonly entries: Map<string, CloudRoute>
  limit(quota: number): void
}

const signal = AbortSignal.timeout(60_000)
const owner = 'berth:1'
const route = { destination: '10.77.1.0/24', nextHop: '10.0.0.1', owner }
const theirs = { destination: '10.77.2.0/24', nextHop: '10.0.0.9', owner: 'terraform' }

/** What every adapter of the port has to do. */
export function describeRouteTable(open: () => Promise<TableUnderTest>): void {
  it('has what was put, once, however often; a second word replaces the first', async () => {
    await using under = await open()
    expect(await under.table.list({ signal })).toEqual([])
    await under.table.put(route, { signal })
    await under.table.put(route, { signal })
    expect(await under.table.list({ signal })).toEqual([route])
    await under.table.put({ ...route, nextHop: '10.0.0.2' }, { signal })
    expect(await under.table.list({ signal })).toEqual([{ ...route, nextHop: '10.0.0.2' }])
  })

  it('removes what is there and what is not', async () => {
    await using under = await open()
    await under.table.put(route, { signal })
    await under.table.remove(route, { signal })
    await under.table.remove(route, { signal })
    expect(await under.table.list({ signal })).toEqual([])
  })

  it('shows others’ entries, with their owner or without one, and does not touch them', async () => {
    await using under = await open()
    under.entries.set(theirs.destination, theirs)
    under.entries.set('0.0.0.0/0', { destination: '0.0.0.0/0', nextHop: 'igw-1' })
    const entry = { ...route, destination: theirs.destination }
    const refusal = { code: 'cloud-routes.foreign' }
    await expect(under.table.put(entry, { signal })).rejects.toMatchObject(refusal)
    await expect(under.table.remove(entry, { signal })).rejects.toMatchObject(refusal)
    expect(await under.table.list({ signal })).toEqual([theirs, { destination: '0.0.0.0/0', nextHop: 'igw-1' }])
  })

  it('says when it takes no more, and still changes what it has', async () => {
    await using under = await open()
    under.limit(1)
    await under.table.put(route, { signal })
    const other = { ...route, destination: '10.77.3.0/24' }
    await expect(under.table.put(other, { signal })).rejects.toMatchObject({ code: 'cloud-routes.quota' })
    await under.table.put({ ...route, nextHop: '10.0.0.3' }, { signal })
    expect([...under.entries.values()]).toEqual([{ ...route, nextHop: '10.0.0.3' }])
  })
}
