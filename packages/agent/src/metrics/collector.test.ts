import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { metricsView } from '@berth/api'
import pino from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Clock, type CollectorOptions, createCollector, type KernelCollector } from './collector.ts'
import {
  cgroupRootOf,
  type Layout,
  layouts,
  procRootOf,
  removeCgroups,
  type Shown,
  writeKernelTree,
} from './kernel-trees.testing.ts'
import { registerUsageMetrics } from './prometheus.ts'

const mib = 1024 ** 2
const first: Shown = {
  cpuUs: 40_000_000,
  throttledUs: 1_000_000,
  periods: 2041,
  throttledPeriods: 12,
  memoryBytes: 60 * mib,
  inactiveFileBytes: 10 * mib,
  readBytes: 8192,
  writtenBytes: 0,
  receivedBytes: 1000,
  sentBytes: 2000,
  received: [10, 1, 0],
  sent: [20, 0, 2],
  established: 3,
}
/** Two seconds later. */
const second: Shown = {
  cpuUs: 43_000_000,
  throttledUs: 1_500_000,
  periods: 2061,
  throttledPeriods: 17,
  memoryBytes: 70 * mib,
  inactiveFileBytes: 12 * mib,
  readBytes: 8192 + 2 * mib,
  writtenBytes: 4 * mib,
  receivedBytes: 1000 + 3000,
  sentBytes: 2000 + 5000,
  received: [16, 2, 0],
  sent: [28, 0, 7],
  established: 7,
}
const instance = 'shop.production.web-1'
const target = { containerId: 'c1', pid: 4711, cpuLimitMilli: 2000, memoryLimitBytes: 256 * mib }
const never = 3_600_000

let root: string
let clock: Clock & { ms: number }
let collector: KernelCollector

function start(change: Partial<CollectorOptions> = {}): KernelCollector {
  return createCollector({
    node: 'node-a',
    log: pino({ level: 'silent' }),
    cgroupRoot: cgroupRootOf(root),
    procRoot: procRootOf(root),
    intervalMs: never,
    clock,
    ...change,
  })
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'collector-'))
  clock = { ms: 0, now: () => 1_700_000_000_000 + clock.ms, monotonicMs: () => clock.ms }
  collector = start({ keepMs: 10 * never })
})
afterEach(async () => {
  await collector[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
})

async function readAfter(ms: number, layout: Layout, shown: Shown, pid = target.pid): Promise<void> {
  clock.ms += ms
  await writeKernelTree(root, layout, pid, shown)
  await collector.read()
}

const samples = (sinceMs?: number) => collector.since(sinceMs)[0]?.samples

describe.each(layouts)('a container in the layout %s', (layout) => {
  it('has rates between readings, and amounts as they are', async () => {
    collector.watch(instance, target)
    await readAfter(0, layout, first)
    expect(samples()).toEqual([])
    await readAfter(2000, layout, second)
    expect(collector.since()).toEqual([
      {
        instance,
        node: 'node-a',
        cpuLimitMilli: 2000,
        memoryLimitBytes: 256 * mib,
        traffic: {
          in: { bytes: 4000, packets: 16, errors: 2, drops: 0, limitDrops: 0 },
          out: { bytes: 7000, packets: 28, errors: 0, drops: 7, limitDrops: 0 },
        },
        samples: [
          {
            at: 1_700_000_002_000,
            cpuMilli: 1500,
            throttledMilli: 250,
            throttledPeriodsMilli: 250,
            memoryBytes: 58 * mib,
            networkInBytes: 1500,
            networkOutBytes: 2500,
            ...{ networkInPackets: 3, networkInErrors: 0.5, networkInDrops: 0, networkInLimitDrops: 0 },
            ...{ networkOutPackets: 4, networkOutErrors: 0, networkOutDrops: 2.5, networkOutLimitDrops: 0 },
            blockReadBytes: mib,
            blockWriteBytes: 2 * mib,
            tcpConnections: 7,
          },
        ],
      },
    ])
    expect(() => metricsView.array().parse(collector.since())).not.toThrow()
  })

  it('is left alone when it is gone, even if its process id is another’s', async () => {
    collector.watch(instance, target)
    await readAfter(0, layout, first)
    await readAfter(2000, layout, second)
    await removeCgroups(root)
    clock.ms += 2000
    await collector.read()
    expect(samples()).toHaveLength(1)
    expect(collector.counters()).toEqual([])
  })
})

describe('a collector', () => {
  it('finds an instance that starts late', async () => {
    collector.watch(instance, target)
    await collector.read()
    expect(collector.since()).toMatchObject([{ instance, samples: [] }])
    await readAfter(0, 'v2-systemd', first)
    await readAfter(2000, 'v2-systemd', second)
    expect(samples()).toHaveLength(1)
  })

  it('makes no rate across a restart, and keeps the samples before it', async () => {
    collector.watch(instance, target)
    await readAfter(0, 'v2-systemd', first)
    await readAfter(2000, 'v2-systemd', second)
    collector.watch(instance, { ...target, pid: 4712 })
    await readAfter(2000, 'v2-systemd', { ...first, cpuUs: 99 }, 4712)
    expect(samples()).toHaveLength(1)
    await readAfter(2000, 'v2-systemd', { ...second, cpuUs: 99 + 1_000_000 }, 4712)
    expect(samples()?.map((each) => each.cpuMilli)).toEqual([1500, 500])
  })

  it('shows 0 for a counter that went back', async () => {
    collector.watch(instance, target)
    await readAfter(0, 'v2-systemd', second)
    await readAfter(2000, 'v2-systemd', first)
    expect(samples()).toMatchObject([
      { cpuMilli: 0, throttledPeriodsMilli: 0, networkInBytes: 0, memoryBytes: 50 * mib },
    ])
  })

  it('counts what queues of limits dropped from when it is known', async () => {
    await collector[Symbol.asyncDispose]()
    let drops: { networkInLimitDrops: number; networkOutLimitDrops: number } | undefined
    collector = start({ keepMs: 10 * never, limitDrops: (of) => (of === instance ? drops : undefined) })
    collector.watch(instance, target)
    await readAfter(0, 'v2-systemd', first)
    // By an agent before this one, which says nothing of this interval.
    drops = { networkInLimitDrops: 4000, networkOutLimitDrops: 0 }
    await readAfter(2000, 'v2-systemd', first)
    drops = { networkInLimitDrops: 4010, networkOutLimitDrops: 1 }
    await readAfter(2000, 'v2-systemd', first)
    expect(samples()?.map((each) => [each.networkInLimitDrops, each.networkOutLimitDrops])).toEqual([
      [0, 0],
      [5, 0.5],
    ])
    expect(collector.since()[0]?.traffic).toMatchObject({ in: { limitDrops: 4010 }, out: { limitDrops: 1 } })
  })

  it('takes changed limits without losing the samples', async () => {
    collector.watch(instance, target)
    await readAfter(0, 'v1-joined', first)
    await readAfter(2000, 'v1-joined', second)
    collector.watch(instance, { ...target, cpuLimitMilli: 500 })
    expect(collector.since()).toMatchObject([{ cpuLimitMilli: 500, samples: [{ cpuMilli: 1500 }] }])
  })

  it('gives samples after a time, and keeps the last minutes only', async () => {
    await collector[Symbol.asyncDispose]()
    collector = start({ intervalMs: never, keepMs: 5 * never })
    collector.watch(instance, target)
    for (let n = 0; n < 9; n++) await readAfter(1000, 'v2-systemd', { ...first, cpuUs: n * 1_000_000 })
    expect(samples()?.map((each) => each.at - 1_700_000_000_000)).toEqual([5000, 6000, 7000, 8000, 9000])
    expect(samples(1_700_000_007_000)?.map((each) => each.at - 1_700_000_000_000)).toEqual([8000, 9000])
  })

  it('forgets', async () => {
    collector.watch(instance, target)
    await readAfter(0, 'v2-systemd', first)
    collector.forget(instance)
    expect(collector.since()).toEqual([])
    expect(collector.counters()).toEqual([])
  })

  it('shows nothing where a controller is off, and everything else', async () => {
    collector.watch(instance, target)
    await readAfter(0, 'v2-systemd', first)
    const directory = join(cgroupRootOf(root), 'system.slice')
    await rm(join(directory, `docker-3a90eb47a40d99e0dd2efebcc74d7681b1c7f6cce8d2d3b0b58868dc565a7084.scope/io.stat`))
    clock.ms += 2000
    await collector.read()
    expect(samples()).toMatchObject([{ blockReadBytes: 0, memoryBytes: 50 * mib }])
  })

  it('says how busy each core was', async () => {
    await writeKernelTree(root, 'v2-systemd', target.pid, first)
    const stat = (busy: readonly number[]) =>
      writeFile(
        join(procRootOf(root), 'stat'),
        ['cpu  0 0 0 0 0 0 0 0 0 0', ...busy.map((each, core) => `cpu${core} ${each} 0 0 900 5 0 0 3 0 0`), ''].join(
          '\n',
        ),
      )
    await stat([100, 200])
    await collector.read()
    expect(collector.cores()).toEqual([])
    clock.ms += 2000
    await stat([150, 500, 7])
    await collector.read()
    expect(collector.cores()).toEqual([
      { core: 0, busyMilli: 250, busyNs: 1.5e9 },
      { core: 1, busyMilli: 1000, busyNs: 5e9 },
    ])
  })

  it('reads at its interval, by itself', async () => {
    await collector[Symbol.asyncDispose]()
    collector = createCollector({ node: 'a', log: pino({ level: 'silent' }), intervalMs: 20 })
    const end = Date.now() + 5000
    while (collector.nodeSince().length < 5 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
    const [sample] = collector.nodeSince()
    expect(sample?.memoryBytes).toBeGreaterThan(0)
    expect(collector.nodeSince().length).toBeGreaterThanOrEqual(5)
    expect(collector.cores().map(({ core }) => core)).toContain(0)
    for (const { busyMilli } of collector.cores()) expect(busyMilli).toBeGreaterThanOrEqual(0)
  })
})

describe('metrics for Prometheus', () => {
  it('show the kernel’s counts with the names of the instance', async () => {
    const registry = new Registry()
    registerUsageMetrics(registry, collector, 'node-a')
    collector.watch(instance, target)
    await readAfter(0, 'v2-systemd', first)
    const labels = '{app="shop",pool="production",entrypoint="web",instance="shop.production.web-1",node="node-a"}'
    const lines = (await registry.metrics()).split('\n')
    expect(lines).toContain(`berth_instance_cpu_seconds_total${labels} 40`)
    expect(lines).toContain(`berth_instance_cpu_throttled_seconds_total${labels} 1`)
    expect(lines).toContain(`berth_instance_memory_working_set_bytes${labels} ${50 * mib}`)
    expect(lines).toContain(`berth_instance_cpu_limit_periods_total${labels} 2041`)
    expect(lines).toContain(`berth_instance_cpu_throttled_periods_total${labels} 12`)
    expect(lines).toContain(`berth_instance_cpu_limit_cores${labels} 2`)
    expect(lines).toContain(`berth_instance_network_receive_bytes_total${labels} 1000`)
    expect(lines).toContain(`berth_instance_network_receive_packets_total${labels} 10`)
    expect(lines).toContain(`berth_instance_network_transmit_packets_total${labels} 20`)
    expect(lines).toContain(`berth_instance_network_receive_errors_total${labels} 1`)
    expect(lines).toContain(`berth_instance_network_transmit_drops_total${labels} 2`)
    expect(lines).toContain(`berth_instance_network_receive_limit_drops_total${labels} 0`)
    expect(lines).toContain(`berth_instance_tcp_connections${labels} 3`)
    expect(lines).toContain('# TYPE berth_instance_cpu_seconds_total counter')
    collector.forget(instance)
    expect(await registry.metrics()).not.toContain('shop')
  })
})
