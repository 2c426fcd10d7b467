import { describe, expect, it } from 'vitest'
import { ChangedRows, connectionRows } from './connection-rows.ts'
import type { PortCount } from './port-counts.ts'

const count = (counts: PortCount['counts'], packets: number, value: number, instance?: string): PortCount => ({
  ...{ name: `${counts} ${instance} ${packets}`, route: 'db', counts, packets, value },
  ...(instance === undefined ? {} : { pool: 'shop/production/db', instance }),
})

describe('rows of connections', () => {
  it('have what an instance had at its addresses of both versions, and not what the route had', () => {
    const counts = [
      ...[count('in', 50, 5_000), count('connections', 2, 2, 'a'), count('connections', 1, 1, 'a')],
      ...[count('in', 10, 900, 'a'), count('out', 12, 4_000, 'a'), count('out', 3, 100, 'a')],
    ]
    const rows = connectionRows(counts, [{ route: 'db', instance: 'a', connections: 2 }])
    expect(rows).toEqual([
      { route: 'db', pool: 'shop/production/db', instance: 'a', counts: [3, 10, 900, 15, 4_100], open: 2 },
    ])
    const changed = new ChangedRows()
    expect([changed.take(rows), changed.take(rows), changed.take(connectionRows(counts, []))]).toEqual([
      rows,
      [],
      [{ ...rows[0], open: 0 }],
    ])
  })
})
