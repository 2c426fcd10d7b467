import type { AppSpec, EntrypointSpec } from '@berth/core'

export const testSpec = (
  entrypoints: Record<string, Partial<EntrypointSpec>>,
  over: Partial<AppSpec> = {},
): AppSpec => ({
  app: 'shop',
  build: { type: 'image', image: 'shop' },
  entrypoints: Object.fromEntries(
    Object.entries(entrypoints).map(([name, each]) => [name, { ...plainEntrypoint, ...each }]),
  ),
  routes: [],
  rollout: { surge: 1, unavailable: 0, settleMs: 0, before: [] },
  environments: {},
  ...over,
})

const plainEntrypoint: EntrypointSpec = {
  type: 'service',
  command: ['serve'],
  replicas: 1,
  resources: { cpuMilli: 100, memoryBytes: 64 * 1024 ** 2 },
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
  drainMs: 200,
  readyTimeoutMs: 2000,
  labels: {},
  logs: { maxBytes: 1024 ** 2, maxFiles: 2 },
  jobTimeoutMs: 0,
}

export const webRoute = {
  host: 'shop.test',
  path: '/',
  entrypoint: 'web',
  port: 'http',
  tls: 'off',
  stripPath: false,
  timeoutMs: 60_000,
  maxBodyBytes: 0,
} as const
