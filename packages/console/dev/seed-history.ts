import type { MockStore } from './mock-store.ts'

const minute = 60_000
const hour = 60 * minute
const subject = 'Update dependencies'

/** Rollouts and builds of the last days. */
export function seedHistory(store: MockStore, now: number): void {
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
    requests: {
      ...{ requests: 14_822, errors: 0, lost: 0 },
      ...{ before: { requests: 61_040, p50Ms: 7, p99Ms: 41 }, after: { requests: 9_204, p50Ms: 6, p99Ms: 38 } },
    },
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
    progress: { web: { wanted: 4, newReady: 4, newStarting: 0, oldServing: 0, oldDraining: 0 } },
    message: 'shop.production.web-1 exited with code 1 before it was ready; v11 serves',
    failure: {
      instance: 'shop.production.web-1',
      reason: 'exited with code 1 before it was ready',
      logTail: ['Error: DATABASE_URL is not set', '    at connect (/app/db.ts:14:11)', 'Node.js v26.10.0'],
    },
    createdAt: now - 29 * hour,
    updatedAt: now - 29 * hour,
    endedAt: now - 29 * hour + 95_000,
  })
  store.put('listRollouts', {
    app: 'ledger',
    pool: 'production',
    createdBy: 'token:mai',
    id: 'r-2hd8w5zt',
    reason: 'deploy',
    from: 'v3',
    to: 'v4',
    state: 'rolled-back',
    progress: { api: { wanted: 2, newReady: 2, newStarting: 0, oldServing: 0, oldDraining: 0 } },
    message: 'ledger.production.api-3 is not ready 60 s after its start; v3 serves',
    failure: {
      instance: 'ledger.production.api-3',
      reason: 'is not ready 60 s after its start: GET /healthz answered 503',
      logTail: ['listening on 8080', 'waiting for the exchange rates of today'],
    },
    createdAt: now - 41 * minute,
    updatedAt: now - 39 * minute,
    endedAt: now - 39 * minute,
  })
  store.put('listRollouts', {
    app: 'search',
    pool: 'production',
    createdBy: 'token:mai',
    id: 'r-stages22',
    reason: 'deploy',
    from: 'v2',
    to: 'v3',
    state: 'succeeded',
    progress: { web: { wanted: 2, newReady: 2, newStarting: 0, oldServing: 0, oldDraining: 0 } },
    message: 'v3 serves',
    stages: [
      {
        name: 'canary',
        startedAt: now - 50 * hour,
        readyAt: now - 50 * hour + 4000,
        endedAt: now - 50 * hour + 320_000,
        gates: [
          { type: 'health', verdict: 'passed', message: 'health for 5m' },
          { type: 'errors', verdict: 'passed', message: 'errors at most 1% over 5m: 0.2% of 1240 requests' },
          { type: 'person', verdict: 'passed', message: 'a person', by: 'token:mai' },
        ],
        before: [{ type: 'job', state: 'done', message: 'job warm-up', output: 'cache is warm: 1204 entries' }],
        served: { web: 1 },
      },
      {
        name: 'all',
        startedAt: now - 50 * hour + 320_000,
        readyAt: now - 50 * hour + 340_000,
        endedAt: now - 50 * hour + 340_000,
        gates: [],
        served: { web: 2 },
      },
    ],
    createdAt: now - 50 * hour,
    updatedAt: now - 50 * hour + 340_000,
    endedAt: now - 50 * hour + 340_000,
  })
  const build = { app: 'shop', ref: 'main', createdBy: 'token:ci', node: 'anchor-1' }
  store.put('listBuilds', {
    ...build,
    id: 'b-14x7kq2',
    commit: '5e8fd34f2a9be07d1538c6e2b90a7f41d14',
    subject: subject,
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
