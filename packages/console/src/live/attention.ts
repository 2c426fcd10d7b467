import type { AppView, PoolView } from '@berth/api/app-resources'
import type { BuildView, RolloutView } from '@berth/api/deploy-resources'
import type { NodeView } from '@berth/api/node-resources'
import type { ApprovalView, CronView } from '@berth/api/scheduling-resources'
import type { CertificateView } from '@berth/api/traffic-resources'
import { formatBytes } from '../format/quantities.ts'
import type { Dictionary } from '../i18n/dictionary.ts'
import { path } from '../router/match-path.ts'
import { expiryOf } from './certificates.ts'
import { isOver, poolState } from './states.ts'

/** One thing that somebody should look at, and where. */
export interface Attention {
  readonly key: string
  readonly tone: 'bad' | 'warn'
  /** What it is about: `shop/production`, `anchor-2`. */
  readonly subject: string
  readonly what: string
  readonly detail?: string
  readonly to: string
  readonly action: keyof Dictionary['attention']['actions']
  readonly at?: number
  /** Its worst instance says why. */
  readonly pool?: PoolView
}

export interface Observed {
  readonly apps: readonly AppView[]
  readonly nodes: readonly NodeView[]
  readonly rollouts: readonly RolloutView[]
  readonly builds: readonly BuildView[]
  readonly certificates: readonly CertificateView[]
  readonly approvals: readonly ApprovalView[]
  readonly crons: readonly CronView[]
  /** What the server says of itself. */
  readonly server: readonly string[]
}

/** A deploy that failed is news for this long; what runs is told of for as long as it is wrong. */
const newsMs = 24 * 3_600_000

/** What is wrong or waits for somebody, the worst first. */
export function attentionOf(text: Dictionary['attention'], observed: Observed, now: number): readonly Attention[] {
  const found = [
    ...observed.apps.flatMap((app) => poolProblems(text, app)),
    ...observed.server.map((problem) => serverProblem(text, problem)),
    ...nodeProblems(text, observed.nodes),
    ...approvalsWaiting(text, observed.approvals),
    ...rolloutProblems(text, observed.rollouts, now),
    ...buildProblems(text, observed.builds, now),
    ...cronProblems(text, observed.crons, now),
    ...certificateProblems(text, observed.certificates, now),
  ]
  const rank = ({ tone }: Attention): number => (tone === 'bad' ? 0 : 1)
  return found.toSorted((a, b) => rank(a) - rank(b))
}

function poolProblems(text: Dictionary['attention'], app: AppView): Attention[] {
  return app.pools.flatMap((pool): Attention[] => {
    const { label, tone } = poolState(pool)
    if (label !== 'down' && label !== 'degraded') return []
    const short = pool.entrypoints
      .filter((each) => each.type === 'service' && each.ready < each.wanted)
      .map((each) => text.ready(each.name, each.ready, each.wanted))
    return [
      {
        key: `pool ${app.name}/${pool.name}`,
        tone: tone === 'bad' ? 'bad' : 'warn',
        subject: `${app.name}/${pool.name}`,
        what: label === 'down' ? text.down : text.degraded,
        detail: short.join(', '),
        to: path('apps', app.name, pool.name),
        action: 'instances',
        pool,
      },
    ]
  })
}

const nodeProblems = (text: Dictionary['attention'], nodes: readonly NodeView[]): Attention[] =>
  nodes.flatMap((node): Attention[] => {
    const common = { subject: node.name, to: path('nodes', node.name), action: 'node' } as const
    if (!node.online)
      return [{ ...common, key: `node ${node.name}`, tone: 'bad', what: text.offline, detail: text.offlineDetail }]
    return node.problems.map((problem) => ({
      ...common,
      key: `node ${node.name} ${problem}`,
      tone: 'warn',
      what: problem,
    }))
  })

const serverProblem = (text: Dictionary['attention'], problem: string): Attention => ({
  key: `server ${problem}`,
  tone: 'warn',
  subject: text.server,
  what: problem,
  to: '/events',
  action: 'server',
})

const approvalsWaiting = (text: Dictionary['attention'], approvals: readonly ApprovalView[]): Attention[] =>
  approvals
    .filter(({ state }) => state === 'waiting')
    .map(({ app, pool, entrypoint, memoryBytes, requestedAt }) => ({
      key: `approval ${app}/${pool}/${entrypoint}`,
      tone: 'warn',
      subject: `${app}/${pool}`,
      what: text.approval(entrypoint, formatBytes(memoryBytes)),
      to: path('apps', app, pool),
      action: 'approval',
      at: requestedAt,
    }))

/** The newest of each pool that ended badly, and those that wait for somebody to go on. */
function rolloutProblems(text: Dictionary['attention'], rollouts: readonly RolloutView[], now: number): Attention[] {
  const newest = newestOf(rollouts, ({ app, pool }) => `${app}/${pool}`)
  return [...newest].flatMap(([subject, rollout]): Attention[] => {
    const common = { key: `rollout ${rollout.id}`, subject, to: path('rollouts', rollout.id), at: rollout.updatedAt }
    if (rollout.state === 'paused')
      return [{ ...common, tone: 'warn', what: text.paused(rollout.to), detail: rollout.message, action: 'rollout' }]
    const failed = rollout.state === 'failed' || rollout.state === 'rolled-back'
    if (!failed || !isOver(rollout) || now - rollout.updatedAt > newsMs) return []
    const what = rollout.state === 'failed' ? text.rolloutFailed(rollout.to) : text.rolledBack(rollout.to)
    const { failure } = rollout
    const who = failure?.instance?.split('.').at(-1) ?? failure?.node ?? ''
    const detail = failure === undefined ? rollout.message : `${who} ${failure.reason}`
    return [{ ...common, tone: rollout.state === 'failed' ? 'bad' : 'warn', what, detail, action: 'why' }]
  })
}

/** The newest of each ref. Once anything of the app has been built, what failed before it is no news: it was mended, or mistyped. */
function buildProblems(text: Dictionary['attention'], builds: readonly BuildView[], now: number): Attention[] {
  const newest = newestOf(builds, ({ app, ref }) => `${app} ${ref}`)
  const succeeded = newestOf(
    builds.filter(({ state }) => state === 'succeeded'),
    ({ app }) => app,
  )
  return [...newest.values()]
    .filter((build) => build.state === 'failed' && now - build.createdAt <= newsMs)
    .filter(({ app, createdAt }) => createdAt > (succeeded.get(app)?.createdAt ?? 0))
    .map((build) => ({
      key: `build ${build.id}`,
      tone: 'warn',
      subject: build.app,
      what: text.buildFailed(build.ref),
      ...(build.error === undefined ? {} : { detail: build.error.message }),
      to: path('builds', build.id),
      action: 'output',
      at: build.endedAt ?? build.createdAt,
    }))
}

/** Of each job by the clock what became of its last run, as long as that is news. */
const cronProblems = (text: Dictionary['attention'], crons: readonly CronView[], now: number): Attention[] =>
  crons.flatMap(({ app, pool, entrypoint, runs }): Attention[] => {
    const last = runs.find(({ state }) => state !== 'running' && state !== 'skipped')
    if (last === undefined || now - last.dueAt > newsMs) return []
    if (last.state !== 'failed' && last.state !== 'missed') return []
    return [
      {
        key: `cron ${app}/${pool}/${entrypoint}`,
        tone: 'warn',
        subject: `${app}/${pool}`,
        what: last.state === 'failed' ? text.cronFailed(entrypoint) : text.cronMissed(entrypoint),
        ...(last.message === undefined ? {} : { detail: last.message }),
        to: path('schedules', app, pool, entrypoint),
        action: 'schedule',
        at: last.endedAt ?? last.dueAt,
      },
    ]
  })

const certificateProblems = (
  text: Dictionary['attention'],
  certificates: readonly CertificateView[],
  now: number,
): Attention[] =>
  certificates.flatMap((certificate): Attention[] => {
    const expiry = expiryOf(certificate.notAfter, now)
    if (expiry === 'fine') return []
    return [
      {
        key: `certificate ${certificate.name}`,
        tone: expiry === 'soon' ? 'warn' : 'bad',
        subject: certificate.hosts[0] ?? certificate.name,
        what: expiry === 'expired' ? text.certificateExpired : text.certificateExpires,
        to: '/certificates',
        action: 'certificates',
        at: certificate.notAfter,
      },
    ]
  })

function newestOf<T extends { readonly createdAt: number }>(
  items: readonly T[],
  keyOf: (item: T) => string,
): ReadonlyMap<string, T> {
  const newest = new Map<string, T>()
  for (const item of items) {
    const known = newest.get(keyOf(item))
    if (known === undefined || item.createdAt > known.createdAt) newest.set(keyOf(item), item)
  }
  return newest
}
