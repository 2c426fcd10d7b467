import type { MetricsView, SampleView } from '@berth/api/instance-resources'
import { describe, expect, it } from 'vitest'
import { alignSeries, busiest, mergeMetrics } from './sample-series.ts'

const sample = (at: number, cpuMilli: number): SampleView => ({
  at,
  cpuMilli,
  throttledMilli: 0,
  memoryBytes: 0,
  networkInBytes: 0,
  networkOutBytes: 0,
  blockReadBytes: 0,
  blockWriteBytes: 0,
  tcpConnections: 0,
})
const metrics = (instance: string, ...samples: SampleView[]): MetricsView => ({
  instance,
  node: 'a',
  cpuLimitMilli: 1000,
  memoryLimitBytes: 1,
  samples,
})

describe('series', () => {
  it('share one time axis, with holes where one has no sample', () => {
    const data = alignSeries([[sample(1_010, 1), sample(2_020, 2)], [sample(1_990, 3)]], (each) => each.cpuMilli)
    expect(data).toEqual({
      times: [1, 2],
      lines: [
        [1, 2],
        [null, 3],
      ],
    })
  })

  it('grow by what is new and lose what is old', () => {
    const before = [metrics('web-2', sample(1, 1), sample(5, 5)), metrics('gone', sample(1, 1))]
    const fresh = [metrics('web-2', sample(5, 5), sample(7, 7)), metrics('web-10', sample(7, 1))]
    const merged = mergeMetrics(before, fresh, 4)
    expect(merged.map((each) => [each.instance, each.samples.map((s) => s.at)])).toEqual([
      ['web-2', [5, 7]],
      ['web-10', [7]],
    ])
  })

  it('are the busiest ones, in their old order', () => {
    const all = [metrics('a', sample(1, 5)), metrics('b', sample(1, 1)), metrics('c', sample(1, 9))]
    expect(busiest(all, 2).map((each) => each.instance)).toEqual(['a', 'c'])
  })
})
