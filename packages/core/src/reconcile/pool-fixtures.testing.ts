import type { AppSpec, EntrypointSpec, Instance, InstanceStatus, Pool, Rollout } from '../model/index.ts'

export const entrypointSpec = (over: Partial<EntrypointSpec> = {}): EntrypointSpec => ({
  type: 'service',
  command: [],
  replicas: 1,
  resources: {},
  ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
  env: {},
  secrets: [],
  config: [],
  bind: [],
  volumes: [],
  sysctls: {},
  ulimits: [],
  capabilities: [],
  init: false,
  health: {},
  hooks: {},
  restart: 'always',
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
  drainMs: 30_000,
  readyTimeoutMs: 60_000,
  labels: {},
  logs: { maxBytes: 10 * 1024 ** 2, maxFiles: 3 },
  jobTimeoutMs: 0,
  ...over,
})

export const appSpec = (
  entrypoints: Record<string, EntrypointSpec>,
  rollout: Partial<AppSpec['rollout']> = {},
): AppSpec => ({
  app: 'shop',
  build: { type: 'image', image: 'shop' },
  entrypoints,
  routes: [],
  rollout: { surge: 1, unavailable: 0, settleMs: 0, before: [], ...rollout },
  environments: {},
})

export const poolRecord = (over: Partial<Pool> = {}): Pool => ({
  app: 'shop',
  name: 'production',
  environment: 'production',
  generation: 0,
  nextGeneration: 1,
  replicas: {},
  nextOrdinal: {},
  createdAt: 0,
  ...over,
})

/** The rollout that `berth deploy` would write for this pool. */
export const rolloutRecord = (pool: Pool, to: string, reason: Rollout['reason'], now: number): Rollout => ({
  id: `r${pool.nextGeneration}`,
  app: pool.app,
  pool: pool.name,
  reason,
  to,
  fromGeneration: pool.generation,
  toGeneration: pool.nextGeneration,
  state: 'running',
  message: '',
  progress: {},
  jobsDone: [],
  replicasBefore: pool.replicas,
  createdAt: now,
  updatedAt: now,
  createdBy: 'test',
  ...(pool.release === undefined ? {} : { from: pool.release }),
})

export const instanceRecord = (over: Partial<Instance> & Pick<Instance, 'entrypoint' | 'ordinal'>): Instance => ({
  id: `shop.production.${over.entrypoint}-${over.ordinal}`,
  app: 'shop',
  pool: 'production',
  release: 'v1',
  generation: 1,
  type: 'service',
  desired: 'run',
  restartNonce: 0,
  createdAt: 0,
  createdBy: 'test',
  ...over,
})

export const statusRecord = (instance: Instance, over: Partial<InstanceStatus> = {}): InstanceStatus => ({
  id: instance.id,
  node: instance.node ?? '',
  phase: 'assigned',
  ready: false,
  restarts: 0,
  ...over,
})
