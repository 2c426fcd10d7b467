import { parseInstanceId } from '@berth/core'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Collector, InstanceCounters } from './collector.ts'
import type { Counters } from './counters.ts'

interface Metric<Source> {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge'
  readonly read: (source: Source) => number
}

const usage: readonly Metric<Counters>[] = [
  { name: 'cpu_seconds_total', help: 'CPU time used.', kind: 'counter', read: (c) => c.cpuNs / 1e9 },
  {
    name: 'memory_working_set_bytes',
    help: 'Memory in use, less file cache that can be dropped.',
    kind: 'gauge',
    read: (c) => c.memoryBytes,
  },
  { name: 'network_receive_bytes_total', help: 'Bytes received.', kind: 'counter', read: (c) => c.networkInBytes },
  { name: 'network_transmit_bytes_total', help: 'Bytes sent.', kind: 'counter', read: (c) => c.networkOutBytes },
  ...(['in', 'out'] as const).flatMap(networkCounts),
  { name: 'block_read_bytes_total', help: 'Bytes read from disks.', kind: 'counter', read: (c) => c.blockReadBytes },
  { name: 'block_write_bytes_total', help: 'Bytes written to disks.', kind: 'counter', read: (c) => c.blockWriteBytes },
  {
    name: 'tcp_connections',
    help: 'TCP connections that are established or wait to be closed.',
    kind: 'gauge',
    read: (c) => c.tcpConnections,
  },
]

/** Packets beside bytes. As in the kernel, what was lost is none of the packets. */
function networkCounts(direction: 'in' | 'out'): readonly Metric<Counters>[] {
  const [verb, done] = direction === 'in' ? ['receive', 'received'] : ['transmit', 'sent']
  const of = direction === 'in' ? 'networkIn' : 'networkOut'
  const metric = (what: 'Packets' | 'Errors' | 'Drops', help: string): Metric<Counters> => ({
    name: `network_${verb}_${what.toLowerCase()}_total`,
    help,
    kind: 'counter',
    read: (counters) => counters[`${of}${what}`],
  })
  return [
    metric('Packets', `Packets ${done}.`),
    metric('Errors', `Packets that could not be ${done}, by an error of the interface.`),
    metric('Drops', `Packets that the interface dropped instead of having them ${done}.`),
  ]
}

const ofInstances: readonly Metric<InstanceCounters>[] = [
  ...usage.map((metric) => ({ ...metric, read: (source: InstanceCounters) => metric.read(source.counters) })),
  {
    name: 'network_receive_limit_drops_total',
    help: 'Packets to the instance that the limit of its bandwidth had no room for.',
    kind: 'counter',
    read: (source) => source.counters.networkInLimitDrops ?? 0,
  },
  {
    name: 'network_transmit_limit_drops_total',
    help: 'Packets of the instance that the limit of its bandwidth had no room for.',
    kind: 'counter',
    read: (source) => source.counters.networkOutLimitDrops ?? 0,
  },
  {
    name: 'cpu_throttled_seconds_total',
    help: 'Time that processes were kept from the CPU by the limit.',
    kind: 'counter',
    read: (source) => source.counters.throttledNs / 1e9,
  },
  {
    name: 'cpu_limit_periods_total',
    help: 'Periods of the CPU limit.',
    kind: 'counter',
    read: (source) => source.counters.periods,
  },
  {
    name: 'cpu_throttled_periods_total',
    help: 'Periods in which the CPU limit was reached.',
    kind: 'counter',
    read: (source) => source.counters.throttledPeriods,
  },
  { name: 'cpu_limit_cores', help: 'Cores granted.', kind: 'gauge', read: (source) => source.cpuLimitMilli / 1000 },
  { name: 'memory_limit_bytes', help: 'Memory granted.', kind: 'gauge', read: (source) => source.memoryLimitBytes },
]

const instanceLabels = ['app', 'pool', 'entrypoint', 'instance', 'node'] as const

/** Adds `berth_instance_*` and `berth_node_*` to a registry. They show the collector's last reading whenever they are asked for. */
export function registerUsageMetrics(registry: Registry, collector: Collector, node: string): void {
  for (const metric of ofInstances) {
    define(registry, `berth_instance_${metric.name}`, metric, instanceLabels, () =>
      collector.counters().flatMap((source) => {
        const labels = labelsOf(source.instance, node)
        return labels === undefined ? [] : [{ labels, value: metric.read(source) }]
      }),
    )
  }
  const busy = { help: 'Time in which a core was not idle.', kind: 'counter' } as const
  define(registry, 'berth_node_core_busy_seconds_total', busy, ['node', 'core'], () =>
    collector.cores().map(({ core, busyNs }) => ({ labels: { node, core: String(core) }, value: busyNs / 1e9 })),
  )
  for (const metric of usage) {
    define(registry, `berth_node_${metric.name}`, metric, ['node'], () => {
      const counters = collector.nodeCounters()
      return counters === undefined ? [] : [{ labels: { node }, value: metric.read(counters) }]
    })
  }
}

interface Value {
  readonly labels: Record<string, string>
  readonly value: number
}

function define(
  registry: Registry,
  name: string,
  { help, kind }: Pick<Metric<never>, 'help' | 'kind'>,
  labelNames: readonly string[],
  readValues: () => readonly Value[],
): void {
  const configuration = { name, help, labelNames: [...labelNames], registers: [registry] }
  if (kind === 'gauge') {
    new Gauge({
      ...configuration,
      collect() {
        this.reset()
        for (const { labels, value } of readValues()) this.set(labels, value)
      },
    })
    return
  }
  new Counter({
    ...configuration,
    // The kernel counts; what is shown is its count, not one of ours.
    collect() {
      this.reset()
      for (const { labels, value } of readValues()) this.inc(labels, value)
    },
  })
}

function labelsOf(instance: string, node: string): Record<string, string> | undefined {
  const name = parseInstanceId(instance)
  if (name === undefined) return undefined
  return { app: name.app, pool: name.pool, entrypoint: name.entrypoint, instance, node }
}
