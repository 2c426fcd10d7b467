import type { InstanceView } from '@berth/api/instance-resources'

const hour = 3_600_000
const MiB = 1024 ** 2

/** One that has run well for three hours, but for what is said otherwise. */
export function instance(
  app: string,
  pool: string,
  entrypoint: string,
  n: number,
  now: number,
  rest: Partial<InstanceView> = {},
): InstanceView {
  const name = `${entrypoint}-${n}`
  const node = n % 2 === 0 ? 'anchor-2' : 'anchor-1'
  return {
    id: `${app}.${pool}.${name}`,
    name,
    app,
    pool,
    entrypoint,
    release: 'v14',
    generation: 4,
    type: 'service',
    node,
    address: `10.77.${node === 'anchor-1' ? 1 : 2}.${10 + n + entrypoint.length}`,
    phase: 'running',
    desired: 'run',
    ready: true,
    readyAt: now - 3 * hour + 900,
    inTraffic: entrypoint !== 'worker',
    restarts: 0,
    cpuMilli: 500,
    memoryBytes: 512 * MiB,
    containerId: `9f3c${n}a77b01d2c4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8`,
    createdAt: now - 3 * hour,
    createdBy: 'system:pools',
    startedAt: now - 3 * hour,
    ...rest,
  }
}
