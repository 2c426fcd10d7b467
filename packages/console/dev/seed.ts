import type { AppView, PoolView, ReleaseView } from '@berth/api/app-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { NodeView } from '@berth/api/node-resources'
import type { MockStore } from './mock-store.ts'
import { seedAccess, seedRest, seedScheduling } from './seed-access.ts'
import { seedCluster } from './seed-cluster.ts'
import { seedHistory } from './seed-history.ts'
import { instance } from './seed-instance.ts'
import { seedNetwork } from './seed-network.ts'
import { seedSettings } from './traffic-handlers.ts'

const minute = 60_000
const hour = 60 * minute
const GiB = 1024 ** 3
const MiB = 1024 ** 2

/** A small shop, a worker app and an app that was never deployed, on two nodes. */
export function seed(store: MockStore, now: number): void {
  for (const node of nodes(now)) store.put('listNodes', node)
  for (const app of apps(now)) store.put('listApps', app)
  for (const release of releases(now)) store.put('listReleases', release)
  for (const instance of instances(now)) store.put('listInstances', instance)
  seedCluster(store, now)
  seedHistory(store, now)
  seedAccess(store, now)
  seedScheduling(store, now)
  seedRest(store, now)
  seedNetwork(store, now)
  seedSettings(store, now)
}

const nodes = (now: number): NodeView[] => {
  const node = (name: string, n: number, rest: Partial<NodeView>): NodeView => ({
    name,
    labels: { zone: `rack-${n}`, disk: 'nvme' },
    block: `10.77.${n}.0/24`,
    address: `192.0.2.1${n}`,
    schedulable: true,
    online: true,
    gateway: n === 1,
    cpuMilli: 8_000,
    cpuGivenMilli: 5_200,
    memoryBytes: 32 * GiB,
    memoryGivenBytes: 9.5 * GiB,
    diskBytes: 200 * GiB,
    diskFreeBytes: 121 * GiB,
    instances: 6,
    agentVersion: '0.1.0',
    engineVersion: '20.10.24',
    kernel: '6.1.0-28-amd64',
    os: 'Debian GNU/Linux 12',
    cgroup: 'v2',
    problems: [],
    joinedAt: now - 40 * 24 * hour,
    ...rest,
  })
  return [
    node('anchor-1', 1, {}),
    node('anchor-2', 2, {
      cpuGivenMilli: 3_600,
      memoryGivenBytes: 29 * GiB,
      diskFreeBytes: 9 * GiB,
      instances: 5,
      group: 'trial',
      problems: ['the disk of /var/lib/docker is 95 % full (9.0 GiB free)'],
    }),
    node('anchor-3', 3, { cpuGivenMilli: 0, memoryGivenBytes: 0, instances: 0, labels: {}, joinedAt: now - 2 * hour }),
  ]
}

type Entrypoint = PoolView['entrypoints'][number]
const service = (name: string, wanted: number, rest: Partial<Entrypoint> = {}): Entrypoint => ({
  name,
  type: 'service',
  wanted,
  setBy: 'spec',
  running: wanted,
  ready: wanted,
  cpuMilli: 500,
  memoryBytes: 512 * MiB,
  ...rest,
})

const apps = (now: number): AppView[] => {
  const base = { vcs: 'git' as const, createdBy: 'token:ci' }
  const pool = (app: string, name: string, release: string, entrypoints: Entrypoint[], urls: string[]): PoolView => ({
    app,
    name,
    environment: name,
    release,
    generation: 4,
    entrypoints,
    urls,
  })
  const migrate = { ...service('migrate', 0), type: 'job' as const }
  return [
    {
      ...base,
      name: 'shop',
      repository: 'https://git.example.com/acme/shop.git',
      createdAt: now - 30 * 24 * hour,
      latestRelease: 'v14',
      pools: [
        pool(
          'shop',
          'production',
          'v14',
          [service('web', 4), service('worker', 3, { setBy: 'scale' }), migrate, { ...migrate, name: 'report' }],
          ['https://shop.example.com/', 'https://shop.example.com/api/'],
        ),
        pool(
          'shop',
          'staging',
          'v13',
          [service('web', 1), service('worker', 1), migrate],
          ['https://staging.shop.example.com/'],
        ),
      ],
    },
    {
      ...base,
      name: 'ledger',
      repository: 'ssh://git@git.example.com/acme/ledger.git',
      createdAt: now - 12 * 24 * hour,
      latestRelease: 'v4',
      pools: [
        pool(
          'ledger',
          'production',
          'v3',
          [service('api', 2, { cpuMilli: 1_300, memoryBytes: 2 * GiB, ready: 1 })],
          ['https://ledger.example.com/'],
        ),
      ],
    },
    { ...base, name: 'newsletter', createdAt: now - 20 * minute, pools: [] },
    {
      ...base,
      name: 'customer-notifications-gateway',
      repository: 'https://git.example.com/platform-engineering/communication/customer-notifications-gateway.git',
      createdAt: now - 80 * 24 * hour,
      latestRelease: 'v128',
      pools: [
        pool(
          'customer-notifications-gateway',
          'production-frankfurt',
          'v128',
          [service('web', 12), service('delivery-scheduler', 2)],
          ['https://notifications.frankfurt.customers.example.com/'],
        ),
      ],
    },
  ]
}

const subjects = [
  'Add gift cards to the basket',
  'Fix rounding of prices',
  'Faster product search',
  'Show stock on product pages',
  'Update dependencies',
]

const specOf = (app: string) => ({
  app,
  build: { type: 'chain', base: 'node:26-slim', runtimes: [], run: ['npm run build'] },
  entrypoints: {
    web: {
      type: 'service',
      command: ['node', 'server.ts'],
      replicas: 4,
      ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
    },
    worker: { type: 'service', command: ['node', 'worker.ts'], replicas: 2, ports: [] },
  },
  environments: { staging: { env: {}, entrypoints: { web: { replicas: 1 }, worker: { replicas: 1 } } } },
})

const releases = (now: number): ReleaseView[] => {
  const make = (app: string, n: number, runningIn: string[], age: number): ReleaseView => ({
    app,
    id: `v${n}`,
    commit: `${(n * 7919).toString(16).padStart(6, 'c')}4f2a9be07d1538c6e2b90a7f41d${n}`.slice(0, 40),
    subject: subjects[n % subjects.length] ?? '',
    image: `berth/${app}@sha256:${(n * 104729).toString(16).padStart(12, '7')}e1f0`,
    build: `b-${n}x7kq2`,
    createdAt: now - age,
    createdBy: n % 3 === 0 ? 'token:mai' : 'token:ci',
    runningIn,
    served: runningIn.map((pool) => ({ pool, at: now })),
    spec: specOf(app),
  })
  const shop = Array.from({ length: 6 }, (_, i) =>
    make('shop', 9 + i, i === 5 ? ['production'] : i === 4 ? ['staging'] : [], (5 - i) * 26 * hour + 3 * hour),
  )
  return [
    ...shop,
    make('ledger', 2, [], 50 * hour),
    make('ledger', 3, ['production'], 26 * hour),
    make('ledger', 4, [], hour),
  ]
}

const instances = (now: number): InstanceView[] => {
  const job = (n: number, age: number, code: number, rest: Partial<InstanceView>): InstanceView => {
    const { readyAt: _, ...fresh } = instance('shop', 'production', 'migrate', n, now)
    return {
      ...fresh,
      type: 'job',
      phase: 'ended',
      ready: false,
      inTraffic: false,
      createdAt: now - age,
      createdBy: n === 1 ? 'token:ci' : 'token:mai',
      startedAt: now - age + 900,
      endedAt: now - age + 7_100,
      lastExit: { code, outOfMemory: false, at: now - age + 7_100 },
      ...rest,
    }
  }
  const many = (count: number, make: (n: number) => InstanceView) =>
    Array.from({ length: count }, (_, i) => make(i + 1))
  const failed = {
    release: 'v3',
    ready: false,
    inTraffic: false,
    restarts: 7,
    startedAt: now - 8_000,
    message:
      'ledger.production.api-2 was killed after 38 s: out of memory (limit 2048 MiB); raise resources.memory or use less',
    lastExit: { code: 137, signal: 'SIGKILL', outOfMemory: true, at: now - 40_000 },
    logTail: ['reading ledger: 4.1 GiB', 'heap: 1.94 GiB of 2.00 GiB', 'Killed'],
    cpuMilli: 1_300,
    memoryBytes: 2 * GiB,
  }
  return [
    ...many(4, (n) => instance('shop', 'production', 'web', n, now, { restarts: n === 3 ? 1 : 0 })),
    ...many(3, (n) => instance('shop', 'production', 'worker', n, now)),
    instance('shop', 'staging', 'web', 1, now, { release: 'v13' }),
    instance('shop', 'staging', 'worker', 1, now, { release: 'v13' }),
    instance('ledger', 'production', 'api', 1, now, { release: 'v3', cpuMilli: 1_300, memoryBytes: 2 * GiB }),
    instance('ledger', 'production', 'api', 2, now, failed),
    ...many(12, (n) =>
      instance('customer-notifications-gateway', 'production-frankfurt', 'web', n, now, { release: 'v128' }),
    ),
    ...many(2, (n) =>
      instance('customer-notifications-gateway', 'production-frankfurt', 'delivery-scheduler', n, now, {
        release: 'v128',
      }),
    ),
    job(1, 40 * minute, 0, {}),
    job(2, 25 * minute, 1, {
      command: ['node', 'scripts/recount-stock.js', '--warehouse', 'Hamburg Nord'],
      message: 'shop.production.migrate-2 exited with code 1 after 6.2 s',
      logTail: ['Error: connect ECONNREFUSED 10.77.1.30:5432', '    at TCPConnectWrap.afterConnect (node:net:1611:16)'],
    }),
  ]
}
