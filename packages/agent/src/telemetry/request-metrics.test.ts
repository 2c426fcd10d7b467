import { type RequestRow, toRequestCounts } from '@berth/core'
import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { registerRequestMetrics } from './request-metrics.ts'

it('tells Prometheus what the gateway has counted, with answer times as a histogram', async () => {
  const buckets = [2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
  const rows: RequestRow[] = [
    {
      ...{ route: 'r', pool: 'shop/production/web', instance: 'shop.production.web-1' },
      counts: toRequestCounts({ classes: [0, 3, 0, 0, 1], lost: 1, failures: 2, latencySumMs: 12_500, buckets }),
    },
  ]
  const registry = new Registry()
  registerRequestMetrics(registry, { requests: rows, reloads: 2 })
  const labels = 'route="r",pool="shop/production/web",instance="shop.production.web-1"'
  const lines = (await registry.metrics()).split('\n')
  for (const line of [
    'berth_gateway_reloads_total 2',
    `berth_gateway_requests_total{${labels},class="2xx"} 3`,
    `berth_gateway_requests_total{${labels},class="5xx"} 1`,
    `berth_gateway_requests_lost_total{${labels}} 1`,
    `berth_gateway_failed_tries_total{${labels}} 2`,
    `berth_gateway_request_duration_seconds_bucket{${labels},le="0.001"} 2`,
    `berth_gateway_request_duration_seconds_bucket{${labels},le="10"} 3`,
    `berth_gateway_request_duration_seconds_bucket{${labels},le="+Inf"} 4`,
    `berth_gateway_request_duration_seconds_sum{${labels}} 12.5`,
    `berth_gateway_request_duration_seconds_count{${labels}} 4`,
  ])
    expect(lines).toContain(line)
  rows.length = 0
  expect(await registry.metrics()).not.toContain('shop')
})
