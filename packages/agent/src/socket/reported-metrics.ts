import { parseInstanceId } from '@berth/core'
import { Gauge, type Registry } from 'prom-client'
import type { ReportedMetric } from './socket-keeper.ts'

const labelNames = ['app', 'pool', 'entrypoint', 'instance', 'node', 'name'] as const

/** What instances tell of themselves: `berth_instance_reported{name="queue_length"}`. */
export function registerReportedMetrics(
  registry: Registry,
  metrics: () => readonly ReportedMetric[],
  node: string,
): void {
  new Gauge({
    name: 'berth_instance_reported',
    help: 'Values that an instance tells of itself at its socket, by name.',
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset()
      for (const { instance, name, value } of metrics()) {
        const id = parseInstanceId(instance)
        if (id === undefined) continue
        const { app, pool, entrypoint } = id
        this.set({ app, pool, entrypoint, instance, node, name }, value)
      }
    },
  })
}
