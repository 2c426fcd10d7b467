import type { MockStore } from './mock-store.ts'
import { instance } from './seed-instance.ts'

const minute = 60_000
const hour = 60 * minute

/** Certificates and tokens. */
export function seedAccess(store: MockStore, now: number): void {
  const certificate = { notBefore: now - 60 * 24 * hour, updatedAt: now - 60 * 24 * hour, updatedBy: 'token:mai' }
  store.put('listCertificates', {
    ...certificate,
    name: 'shop-example-com',
    hosts: ['shop.example.com', '*.shop.example.com'],
    notAfter: now + 212 * 24 * hour,
  })
  store.put('listCertificates', {
    ...certificate,
    name: 'ledger',
    hosts: ['ledger.example.com'],
    notAfter: now + 12 * 24 * hour,
  })
  const token = { createdBy: 'local:0', createdAt: now - 40 * 24 * hour }
  store.put('listTokens', { ...token, name: 'dev', owner: 'Dev Eloper', role: 'admin' })
  store.put('listTokens', { ...token, name: 'ci', owner: 'Build pipeline of the shop', role: 'deployer' })
  store.put('listTokens', {
    ...token,
    name: 'mai',
    owner: 'Mai Tanaka',
    role: 'deployer',
    expiresAt: now + 50 * 24 * hour,
  })
  store.put('listTokens', { ...token, name: 'guest', owner: 'Audit 2026', role: 'viewer', expiresAt: now - hour })
}

/** What runs by the clock, and a wish for memory. */
export function seedScheduling(store: MockStore, now: number): void {
  const cron = { overlap: 'skip' as const, history: 10, graceMs: 3_600_000, zone: 'Europe/Berlin' }
  const shop = { ...cron, app: 'shop', pool: 'production' }
  store.put('listCrons', {
    ...{ ...shop, entrypoint: 'report', cron: '0 3 * * *', nextAt: now + 6 * hour },
    runs: ['succeeded', 'succeeded', 'failed', 'skipped', 'succeeded'].map((state, day) => ({
      dueAt: now - (day * 24 + 18) * hour,
      state: state as 'succeeded' | 'failed' | 'skipped',
    })),
  })
  const ran = (state: 'succeeded' | 'failed', instance: string, ago: number, tookMs: number) => ({
    ...{ state, instance, dueAt: now - ago, startedAt: now - ago + 900, endedAt: now - ago + 900 + tookMs },
    ...(state === 'failed' ? { exitCode: 1, message: 'exited with code 1 after 6.2 s' } : { exitCode: 0 }),
  })
  store.put('listCrons', {
    ...{ ...cron, app: 'ledger', pool: 'production', entrypoint: 'settle', cron: '*/30 * * * *', overlap: 'replace' },
    nextAt: now + 4 * minute,
    runs: [
      ran('failed', 'ledger.production.settle-2', 25 * minute, 6_200),
      { ...ran('succeeded', 'ledger.production.settle-1', 40 * minute, 6_200), by: 'token:mai' },
      { state: 'missed', dueAt: now - 85 * minute, message: 'no server was up within 1 h' },
    ],
  })
  store.put('listCrons', {
    ...{ ...cron, app: 'search', pool: 'production', entrypoint: 'reindex', cron: '15 2 * * sun', zone: 'UTC' },
    nextAt: now + 60 * hour,
    runs: [],
  })
  for (const [n, ago, code] of [
    [1, 40 * minute, 0],
    [2, 25 * minute, 1],
  ] as const)
    store.put('listInstances', {
      ...instance('ledger', 'production', 'settle', n, now - ago),
      ...{
        type: 'job',
        phase: 'ended',
        release: 'v3',
        ready: false,
        inTraffic: false,
        startedAt: now - ago + 900,
        endedAt: now - ago + 7_100,
      },
      lastExit: { code, outOfMemory: false, at: now - ago + 7_100 },
    })
  store.put('listApprovals', {
    app: 'ledger',
    pool: 'production',
    entrypoint: 'api',
    group: 'default',
    memoryBytes: 16 * 1024 ** 3,
    state: 'waiting',
    requestedAt: now - 20 * minute,
    requestedBy: 'token:mai',
  })
}

/** Routes, secrets and events. */
export function seedRest(store: MockStore, now: number): void {
  const members = store
    .all('listInstances')
    .filter((each) => each.app === 'shop' && each.pool === 'production' && each.entrypoint === 'web')
    .map((each) => ({ instance: each.id, address: each.address ?? '', port: 8080, state: 'active' }))
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
    members: [{ instance: 'ledger.production.api-1', address: '10.77.1.14', port: 8080, state: 'active' }],
  })
  store.put('listRoutes', {
    app: 'newsletter',
    pool: 'staging',
    entrypoint: 'web',
    tls: 'redirect',
    url: 'https://news.example.com/',
    host: 'news.example.com',
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
