import type { AppView } from '@berth/api/app-resources'
import type { BuildView, RolloutView } from '@berth/api/deploy-resources'
import type { NodeView } from '@berth/api/node-resources'
import type { ApprovalView, CronView } from '@berth/api/scheduling-resources'
import type { CertificateView } from '@berth/api/traffic-resources'
import { describe, expect, it } from 'vitest'
import { english } from '../i18n/english.ts'
import { attentionOf, type Observed } from './attention.ts'

const now = 1_000_000_000_000
const hour = 3_600_000

const app = (ready: number, wanted: number): AppView => ({
  name: 'shop',
  vcs: 'git',
  createdAt: 1,
  createdBy: 'token:ci',
  pools: [
    {
      app: 'shop',
      name: 'production',
      environment: 'production',
      release: 'v1',
      generation: 1,
      urls: [],
      entrypoints: [{ name: 'web', type: 'service', wanted, setBy: 'spec', running: ready, ready }],
    },
  ],
})

const node = (change: Partial<NodeView>): NodeView =>
  ({ name: 'a', online: true, problems: [], schedulable: true, ...change }) as NodeView

const rollout = (change: Partial<RolloutView>): RolloutView => ({
  id: 'r-1',
  app: 'shop',
  pool: 'production',
  reason: 'deploy',
  to: 'v2',
  state: 'rolled-back',
  message: 'v1 serves',
  progress: {},
  createdAt: now - hour,
  updatedAt: now - hour,
  endedAt: now - hour,
  createdBy: 'token:ci',
  ...change,
})

const build = (change: Partial<BuildView>): BuildView => ({
  id: 'b-1',
  app: 'shop',
  ref: 'main',
  state: 'failed',
  createdAt: now - hour,
  createdBy: 'token:ci',
  ...change,
})

const certificate = (notAfter: number): CertificateView => ({
  name: 'shop',
  hosts: ['shop.example.com'],
  notBefore: 1,
  notAfter,
  updatedAt: 1,
  updatedBy: 'token:ci',
})

const approval = (state: ApprovalView['state']): ApprovalView => ({
  app: 'shop',
  pool: 'production',
  entrypoint: 'web',
  group: 'default',
  memoryBytes: 1024 ** 3,
  state,
  requestedAt: 1,
  requestedBy: 'token:ci',
})

const cron = (...states: CronView['runs'][number]['state'][]): CronView => ({
  ...{ app: 'shop', pool: 'production', entrypoint: 'report', cron: '0 3 * * *', zone: 'UTC', overlap: 'skip' },
  ...{ history: 10, graceMs: 1 },
  runs: states.map((state, index) => ({ dueAt: now - (index + 1) * hour, state })),
})

const observed = (change: Partial<Observed>): Observed => ({
  apps: [],
  nodes: [],
  rollouts: [],
  builds: [],
  certificates: [],
  approvals: [],
  crons: [],
  server: [],
  ...change,
})

describe('what needs attention', () => {
  it.each<[string, Partial<Observed>, readonly string[]]>([
    ['nothing when all is well', { apps: [app(2, 2)], nodes: [node({})] }, []],
    ['a pool without one ready instance', { apps: [app(0, 2)] }, ['bad shop/production is down']],
    ['a pool with too few', { apps: [app(1, 2)] }, ['warn shop/production is degraded']],
    ['a node that is offline', { nodes: [node({ online: false })] }, ['bad a is offline']],
    ['a problem of a node', { nodes: [node({ problems: ['the disk is full'] })] }, ['warn a the disk is full']],
    ['a rollout that was rolled back', { rollouts: [rollout({})] }, ['warn shop/production v2 was rolled back']],
    [
      'a rollout that failed for good',
      { rollouts: [rollout({ state: 'failed' })] },
      ['bad shop/production the rollout of v2 failed'],
    ],
    ['no rollout that a later one has replaced', { rollouts: [rollout({}), later({ state: 'succeeded' })] }, []],
    ['no rollout of the day before', { rollouts: [rollout({ updatedAt: now - 25 * hour })] }, []],
    ['no rollout that somebody aborted', { rollouts: [rollout({ state: 'aborted' })] }, []],
    [
      'a rollout that waits, however long',
      { rollouts: [rollout({ state: 'paused', updatedAt: now - 99 * hour })] },
      ['warn shop/production waits: the rollout of v2 is paused'],
    ],
    ['a build that failed', { builds: [build({})] }, ['warn shop the build of main failed']],
    [
      'no build that has succeeded since',
      { builds: [build({}), build({ id: 'b-2', ref: 'fixed', state: 'succeeded', createdAt: now })] },
      [],
    ],
    [
      'a certificate that expires soon',
      { certificates: [certificate(now + 20 * 24 * hour)] },
      ['warn shop.example.com its certificate expires'],
    ],
    [
      'one that expires within days',
      { certificates: [certificate(now + 3 * 24 * hour)] },
      ['bad shop.example.com its certificate expires'],
    ],
    [
      'one that has expired',
      { certificates: [certificate(now - 1)] },
      ['bad shop.example.com its certificate expired'],
    ],
    ['a problem of the server', { server: ['its authority expires'] }, ['warn The server its authority expires']],
    [
      'memory to be approved',
      { approvals: [approval('waiting')] },
      ['warn shop/production web waits for 1 GiB of memory to be approved'],
    ],
    ['no memory that was approved', { approvals: [approval('approved')] }, []],
    [
      'a job by the clock whose last run failed',
      { crons: [cron('running', 'skipped', 'failed')] },
      ['warn shop/production the last run of report failed'],
    ],
    ['one that was missed', { crons: [cron('missed')] }, ['warn shop/production a run of report was missed']],
    ['none that has succeeded since', { crons: [cron('succeeded', 'failed')] }, []],
    ['no certificate of next year', { certificates: [certificate(now + 300 * 24 * hour)] }, []],
    [
      'the worst first',
      { apps: [app(1, 2)], nodes: [node({ online: false })] },
      ['bad a is offline', 'warn shop/production is degraded'],
    ],
  ])('%s', (_, change, lines) =>
    expect(
      attentionOf(english.attention, observed(change), now).map(
        ({ tone, subject, what }) => `${tone} ${subject} ${what}`,
      ),
    ).toEqual(lines),
  )
})

function later(change: Partial<RolloutView>): RolloutView {
  return rollout({ id: 'r-2', createdAt: now, updatedAt: now, ...change })
}
