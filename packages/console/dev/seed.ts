import type { AppView, InstanceView, NodeView, PoolView, ReleaseView } from '@berth/api/resources'
import type { MockStore } from './mock-store.ts'

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
  seedHistory(store, now)
  seedRest(store, now)
}

const nodes = (now: number): NodeView[] => {
  const node = (name: string, n: number, rest: Partial<NodeView>): NodeView => ({
    name,
    labels: { zone: `rack-${n}` },
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
      problems: ['the disk of /var/lib/docker is 95 % full (9.0 GiB free)'],
    }),
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
          [service('web', 4), service('worker', 3, { setBy: 'scale' }), migrate],
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
      latestRelease: 'v3',
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
    spec: specOf(app),
  })
  const shop = Array.from({ length: 6 }, (_, i) =>
    make('shop', 9 + i, i === 5 ? ['production'] : i === 4 ? ['staging'] : [], (5 - i) * 26 * hour + 3 * hour),
  )
  return [...shop, make('ledger', 2, [], 50 * hour), make('ledger', 3, ['production'], 2 * hour)]
}

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
    startedAt: now - 3 * hour,
    ...rest,
  }
}

const instances = (now: number): InstanceView[] => {
  const many = (count: number, make: (n: number) => InstanceView) =>
    Array.from({ length: count }, (_, i) => make(i + 1))
  const failed = {
    release: 'v3',
    ready: false,
    inTraffic: false,
    restarts: 7,
    message: 'readiness probe http :8080/healthz: connection refused (12 times)',
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
  ]
}

function seedHistory(store: MockStore, now: number): void {
  const progress = { web: { wanted: 4, newReady: 4, newStarting: 0, oldServing: 0, oldDraining: 0 } }
  const rollout = { app: 'shop', pool: 'production', createdBy: 'token:ci', progress }
  store.put('listRollouts', {
    ...rollout,
    id: 'r-k3v9x2mq',
    reason: 'deploy',
    from: 'v13',
    to: 'v14',
    state: 'succeeded',
    message: '7 instances of v14 are ready',
    createdAt: now - 3 * hour,
    updatedAt: now - 3 * hour,
    endedAt: now - 3 * hour + 48_000,
  })
  store.put('listRollouts', {
    ...rollout,
    id: 'r-p7m2c4wd',
    reason: 'deploy',
    from: 'v11',
    to: 'v12',
    state: 'rolled-back',
    message: 'v12 did not get ready; rolled back to v11',
    failure: {
      instance: 'shop.production.web-1',
      reason: 'exited with code 1 before it was ready',
      logTail: ['Error: DATABASE_URL is not set', '    at connect (/app/db.ts:14:11)', 'Node.js v26.10.0'],
    },
    createdAt: now - 29 * hour,
    updatedAt: now - 29 * hour,
    endedAt: now - 29 * hour + 95_000,
  })
  const build = { app: 'shop', ref: 'main', createdBy: 'token:ci', node: 'anchor-1' }
  store.put('listBuilds', {
    ...build,
    id: 'b-14x7kq2',
    commit: '5e8fd34f2a9be07d1538c6e2b90a7f41d14',
    subject: subjects[4] ?? '',
    state: 'succeeded',
    image: 'berth/shop@sha256:7777771665dee1f0',
    release: 'v14',
    deployTo: 'production',
    rollout: 'r-k3v9x2mq',
    createdAt: now - 3 * hour - 70_000,
    startedAt: now - 3 * hour - 69_000,
    endedAt: now - 3 * hour - 8_000,
  })
  store.put('listBuilds', {
    ...build,
    id: 'b-6tq8h3ns',
    ref: 'feature/pay-later',
    commit: 'a81c55f2a9be07d1538c6e2b90a7f41d2204',
    subject: 'Try paying later',
    state: 'failed',
    error: {
      code: 'build.step-failed',
      message: 'npm run build ended with code 2',
      logTail: ['src/pay.ts(12,7): error TS2322: Type string is not assignable to type number.'],
    },
    createdAt: now - 9 * hour,
    startedAt: now - 9 * hour,
    endedAt: now - 9 * hour + 31_000,
  })
}

function seedRest(store: MockStore, now: number): void {
  const members = store
    .all('listInstances')
    .filter((each) => each.app === 'shop' && each.pool === 'production' && each.entrypoint === 'web')
    .map((each) => ({ instance: each.id, address: each.address ?? '', port: 8080, state: 'up' }))
  const shop = { app: 'shop', pool: 'production', entrypoint: 'web', tls: 'redirect' as const }
  store.put('listRoutes', { ...shop, url: 'https://shop.example.com/', host: 'shop.example.com', path: '/', members })
  store.put('listRoutes', {
    ...shop,
    url: 'https://shop.example.com/api/',
    host: 'shop.example.com',
    path: '/api/',
    members,
  })
  store.put('listRoutes', {
    app: 'ledger',
    pool: 'production',
    entrypoint: 'api',
    tls: 'on',
    url: 'https://ledger.example.com/',
    host: 'ledger.example.com',
    path: '/',
    members: [],
  })
  const secret = { app: 'shop', version: 2, updatedAt: now - 50 * hour, updatedBy: 'token:mai' }
  store.put('listSecrets', { ...secret, name: 'DATABASE_URL', environment: 'production' })
  store.put('listSecrets', { ...secret, name: 'DATABASE_URL', environment: 'staging', version: 1 })
  store.put('listSecrets', { ...secret, name: 'MAIL_TOKEN' })
  const event = (n: number, type: string, message: string, subject: Record<string, string>, age: number) =>
    store.put('listEvents', {
      id: String(n).padStart(14, '0'),
      at: now - age,
      type,
      actor: type.startsWith('instance') ? 'agent:anchor-2' : 'token:ci',
      subject,
      message,
    })
  const pool = { app: 'shop', pool: 'production' }
  event(1, 'app.created', 'newsletter is registered', { app: 'newsletter' }, 20 * minute)
  event(2, 'build.succeeded', 'build b-14x7kq2 of shop succeeded: v14', { app: 'shop', build: 'b-14x7kq2' }, 3 * hour)
  event(3, 'rollout.started', 'shop/production: v13 → v14', { ...pool, rollout: 'r-k3v9x2mq' }, 3 * hour - 1_000)
  event(4, 'rollout.succeeded', 'shop/production runs v14', { ...pool, rollout: 'r-k3v9x2mq' }, 3 * hour - 48_000)
  event(5, 'pool.scaled', 'shop/production: worker 2 → 3', pool, 2 * hour)
  event(
    6,
    'instance.out-of-memory',
    'ledger/production/api-2 was killed: it used its 2.0 GiB of memory',
    { app: 'ledger', pool: 'production', instance: 'ledger.production.api-2', node: 'anchor-2' },
    40_000,
  )
  event(7, 'secret.set', 'secret MAIL_TOKEN of shop set, version 2', { app: 'shop' }, 50 * hour)
}
