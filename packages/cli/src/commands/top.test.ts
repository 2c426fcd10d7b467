import type { MetricsView } from '@berth/api'
import { expect, it } from 'vitest'
import { topListing } from './top.ts'
import { instanceTrafficListing, portTrafficListing, routeTrafficListing } from './top-routes.ts'

const sample = {
  ...{ at: 1, cpuMilli: 500, throttledMilli: 0, memoryBytes: 1024, networkInBytes: 10, networkOutBytes: 20 },
  ...{ blockReadBytes: 0, blockWriteBytes: 4096, tcpConnections: 3 },
}
const view: MetricsView = {
  ...{ instance: 'shop.production.web-1', node: 'a', cpuLimitMilli: 1000, memoryLimitBytes: 2048, samples: [sample] },
}

it('tells packets beside bytes, and what was lost of them since the interface was made', () => {
  const counts = { bytes: 1, packets: 2, errors: 0, drops: 0, limitDrops: 0 }
  const told = {
    ...view,
    samples: [{ ...sample, networkInPackets: 12, networkOutPackets: 7 }],
    traffic: { in: { ...counts, drops: 4 }, out: { ...counts, limitDrops: 31 } },
  }
  const columns = ['0B', '4Ki', '12', '7', '0', '4 in, 0 out', '0 in, 31 out']
  expect(topListing.wideRow?.(told)).toEqual(columns)
  expect(topListing.wideHeaders).toHaveLength(columns.length)
})

it('does not take what an agent does not tell for nothing', () => {
  expect(topListing.wideRow?.(view)).toEqual(['0B', '4Ki', '-', '-', '-', '-', '-'])
  expect(topListing.wideRow?.({ ...view, samples: [] })).toEqual(['0B', '0B', '-', '-', '-', '-', '-'])
})

const rate = { perSecond: 1234.4, errors4xxPerSecond: 0, errors5xxPerSecond: 0.25, lostPerSecond: 0.04 }
const place = { app: 'shop', pool: 'production', entrypoint: 'web' }

it('tells how much goes to a route, and how fast it is answered', () => {
  const times = { p50Ms: 0.84, p95Ms: 12.4, p99Ms: 1_340 }
  const cells = routeTrafficListing.row({ url: 'http://shop.lan', ...place, ...rate, ...times })
  expect(cells).toEqual(['http://shop.lan', 'shop/production/web', '1234', '0', '0.3', '0', '0.8ms', '12ms', '1.3s'])
  expect(routeTrafficListing.headers).toHaveLength(cells.length)
  const one = { instance: 'shop.production.web-1', release: 'v3', generation: 3, ...place, ...rate }
  expect(instanceTrafficListing.row(one).slice(-3)).toEqual(['-', '-', '-'])
})

it('shows connections of ports by what passes', () => {
  const port = {
    ...{ url: 'tcp://g:5432', app: 'shop', pool: 'production', entrypoint: 'db', members: [] },
    ...{ connectionsPerSecond: 2.5, open: 42, packetsInPerSecond: 5, bytesInPerSecond: 1_024.4 },
    ...{ packetsOutPerSecond: 7.5, bytesOutPerSecond: 0 },
  }
  const row = portTrafficListing.row(port)
  expect(row).toEqual(['tcp://g:5432', 'shop/production/db', '2.5', '42', '5', '1Ki', '7.5', '0B'])
  expect(portTrafficListing.headers).toHaveLength(row.length)
})
