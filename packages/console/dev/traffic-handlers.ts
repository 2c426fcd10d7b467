import type { Answer } from '@berth/api/client'
import type { LanView } from '@berth/api/lan-resources'
import type { RouteView, TrafficView } from '@berth/api/traffic-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { type JsonHandlers, need } from './handlers.ts'
import type { MockStore } from './mock-store.ts'

const day = 86_400_000

/** What comes in, and what the whole cluster is set to. */
export function trafficHandlers(store: MockStore): JsonHandlers {
  const maintenance = new Map<string, Answer<'setMaintenance'>>()
  const pipelines = new Map([['shop', pipelineOf('shop')]])
  let acme: Answer<'getAcme'> = { hosts: [] }
  let prometheus: Answer<'getPrometheus'> | undefined
  const by = () => ({ updatedAt: Date.now(), updatedBy: 'token:dev' })
  const ok = { ok: true as const }
  return {
    getTraffic: ({ query }) => trafficNow(store, query),
    getMaintenance: () => ({ items: [...maintenance.values()] }),
    setMaintenance: ({ params: { host = '' }, body: { on, page } }) => {
      const said = { host, on, ...(typeof page === 'string' ? { page } : {}), ...by() }
      maintenance.set(host, said)
      for (const { maintenance: _, ...route } of store.all('listRoutes').filter((each) => each.host === host))
        store.put('listRoutes', on ? { ...route, maintenance: true } : route)
      return said
    },
    getAcme: () => acme,
    setAcme: ({ body: { directoryUrl, email, caPem } }) => {
      if (!directoryUrl.startsWith('https://'))
        throw new BerthError('acme.invalid', `obtain certificates from ${directoryUrl}: it has to begin with https://`)
      const given = { ...(email === undefined ? {} : { email }), ...(caPem === undefined ? {} : { caPem }) }
      acme = { directoryUrl, ...given, hosts: acmeHosts(Date.now()) }
      return acme
    },
    removeAcme: () => {
      acme = { hosts: [] }
      return ok
    },
    getPrometheus: () => {
      if (prometheus === undefined)
        throw new BerthError('prometheus.not-set', 'no Prometheus is configured; set one: berth prometheus set URL')
      return prometheus
    },
    setPrometheus: ({ body: { url, user = '', secret, ca } }) => {
      if (!URL.canParse(url)) throw new BerthError('prometheus.invalid', `set Prometheus ${url}: it is no URL`)
      const hasSecret = secret === undefined ? prometheus?.hasSecret === true : secret !== ''
      prometheus = { url, hasSecret, hasCa: ca !== undefined && ca !== '', ...(user === '' ? {} : { user }), ...by() }
      return prometheus
    },
    removePrometheus: () => {
      prometheus = undefined
      return ok
    },
    addApprovalRule: ({ body: { name, needed, role = 'deployer', ...scope } }) => {
      if (needed < 1 || needed > 10)
        throw new BerthError('approval-rule.invalid', `approval rule ${name}: ${needed} yeses are not from 1 to 10`)
      return store.put('listApprovalRules', {
        ...{ name, needed, role, createdAt: Date.now(), createdBy: 'token:dev' },
        ...(scope.app === undefined ? {} : { app: scope.app }),
        ...(scope.pool === undefined ? {} : { pool: scope.pool }),
      })
    },
    removeApprovalRule: ({ params: { name = '' } }) => {
      store.remove('listApprovalRules', name)
      return ok
    },
    setHookTarget: ({ params: { name = '' }, body: { url, secret } }) => {
      if (!/^https?:\/\//.test(url)) throw new BerthError('hook-target.invalid', `allow ${name}: ${url} is no URL`)
      const before = store.get('listHookTargets', name)
      const hasSecret = secret === undefined ? (before?.hasSecret ?? false) : secret !== ''
      return store.put('listHookTargets', { name, url, hasSecret, ...by() })
    },
    removeHookTarget: ({ params: { name = '' } }) => {
      store.remove('listHookTargets', name)
      return ok
    },
    addFreeze: ({ body: { name, app, pool, from, until, cron, zone, forMs, reason } }) => {
      if (cron === undefined && until <= from)
        throw new BerthError('freeze.invalid', `freeze ${name}: it ends before it begins`)
      const when =
        cron === undefined
          ? { type: 'once' as const, from, until }
          : { type: 'again' as const, cron, zone: zone ?? 'UTC', forMs }
      const scope = { ...(app === undefined ? {} : { app }), ...(pool === undefined ? {} : { pool }) }
      return store.put('listFreezes', { name, ...scope, when, reason, createdAt: Date.now(), createdBy: 'token:dev' })
    },
    removeFreeze: ({ params: { name = '' } }) => {
      store.remove('listFreezes', name)
      return ok
    },
    setSubscription: ({ params: { name = '' }, body: { url, events = ['*'], app, secret } }) => {
      if (!/^(https?|redis):/.test(url))
        throw new BerthError('subscription.invalid', `subscription ${name}: ${url} is neither http(s):// nor redis://`)
      const before = store.get('listSubscriptions', name)
      const hasSecret = secret === undefined ? (before?.hasSecret ?? false) : secret !== ''
      const whose = app === undefined ? {} : { app }
      return store.put('listSubscriptions', {
        ...{ name, url, events, ...whose, hasSecret, revision: store.revision, failures: 0, ...by() },
      })
    },
    trySubscription: ({ params: { name = '' } }) => {
      const { url, problem } = need(store.get('listSubscriptions', name), `subscription ${name}`)
      if (problem !== undefined)
        throw new BerthError('subscription.undeliverable', `try subscription ${name} (${url}): ${problem}`)
      return { tookMs: 12 }
    },
    removeSubscription: ({ params: { name = '' } }) => {
      store.remove('listSubscriptions', name)
      return ok
    },
    getPipeline: ({ params: { app = '' } }) => need(pipelines.get(app), `pipeline of ${app}`),
    setPipeline: ({ params: { app = '' }, body }) => {
      const { webhook, version = 0 } = pipelines.get(app) ?? {}
      const kept = webhook === undefined ? {} : { webhook }
      const set = { ...{ branches: [], tags: [], environments: [], automatic: [] }, ...body, ...kept }
      pipelines.set(app, { ...set, app, version: version + 1, ...by() })
      return need(pipelines.get(app), `pipeline of ${app}`)
    },
    removePipeline: ({ params: { app = '' } }) => {
      pipelines.delete(app)
      return ok
    },
    createWebhookSecret: ({ params: { app = '' } }) => {
      const path = `/hooks/${app}`
      pipelines.set(app, { ...need(pipelines.get(app), `pipeline of ${app}`), webhook: path })
      return { path, secret: 'hook_7Qd2mX9vT4Lr8Kc1Wf6' }
    },
    lookAtPipeline: () => ({ builds: [], skipped: [] }),
    createLan: ({ body }) => store.put('listLans', lanOf(body)),
  }
}

const pipelineOf = (app: string): Answer<'getPipeline'> => ({
  ...{
    app,
    branches: ['main'],
    tags: ['v*'],
    deploy: 'staging',
    environments: ['staging', 'production'],
    automatic: [],
  },
  ...{ webhook: `/hooks/${app}`, version: 1, updatedAt: Date.now(), updatedBy: 'token:dev' },
})

const perMember = 123.4

function trafficNow(store: MockStore, { app, pool, instances }: Readonly<Record<string, string>>): TrafficView {
  const routes = store
    .all('listRoutes')
    .filter((each) => (app ?? each.app) === each.app && (pool ?? each.pool) === each.pool)
  const counts = Map.groupBy(
    routes.flatMap(({ members }) => members),
    ({ instance }) => instance,
  )
  const told = instances === 'false' ? [] : store.all('listInstances').filter(({ id }) => counts.has(id))
  return {
    routes: routes.map(trafficOf),
    instances: told.map(({ id: instance, app, pool, entrypoint, release, generation }) => ({
      ...{ instance, app, pool, entrypoint, release, generation, p95Ms: 18.04 },
      ...{ perSecond: (counts.get(instance)?.length ?? 0) * perMember, errors4xxPerSecond: 0 },
      ...{ errors5xxPerSecond: 0, lostPerSecond: 0 },
    })),
    knownToMs: Date.now(),
  }
}

/** One that has no member loses what comes. */
function trafficOf({ url, app, pool, entrypoint, external, members }: RouteView): TrafficView['routes'][number] {
  const lost = members.length === 0 ? 2.5 : 0
  const rate = { errors4xxPerSecond: 0, errors5xxPerSecond: lost, lostPerSecond: lost }
  const times = members.length === 0 ? {} : { meanMs: 6.2, p50Ms: 4.1, p95Ms: 18.04, p99Ms: 41 }
  const whose = { url, app, pool, entrypoint, ...(external === undefined ? {} : { external }) }
  return { ...whose, perSecond: members.length * perMember + lost, ...rate, ...times }
}

const acmeHosts = (now: number): Answer<'getAcme'>['hosts'] => [
  { host: 'ledger.example.com', state: 'own', notAfter: now + 12 * day },
  { host: 'shop.example.com', state: 'held', notAfter: now + 71 * day, nextAt: now + 41 * day },
  {
    ...{ host: 'news.example.com', state: 'waits', nextAt: now + 3_600_000 },
    message: 'the authority got no answer at http://news.example.com/.well-known/acme-challenge/',
  },
]

const lanOf = (body: LanView): LanView => ({
  ...{ ...body, range: body.range ?? body.subnet, sliceSize: 28, groups: [], slices: { total: 16, used: 0 } },
  ...{ nodes: [], instances: 0, createdAt: Date.now(), createdBy: 'token:dev' },
})

/** Freezes and subscriptions. */
export function seedSettings(store: MockStore, now: number): void {
  const freeze = { createdAt: now - 3 * day, createdBy: 'token:mai' }
  store.put('listFreezes', {
    ...{ ...freeze, name: 'weekend', pool: 'production', reason: 'nobody is there to look' },
    when: { type: 'again', cron: '0 18 * * fri', zone: 'Europe/Berlin', forMs: 62 * 3_600_000 },
  })
  store.put('listFreezes', {
    ...{ ...freeze, name: 'audit', app: 'ledger', reason: 'auditors read the books', until: now + day },
    when: { type: 'once', from: now - day, until: now + day },
  })
  const subscription = { events: ['rollout.*'], updatedAt: now - 9 * day, updatedBy: 'token:dev', revision: 96 }
  store.put('listSubscriptions', {
    ...{ ...subscription, name: 'chat', url: 'https://chat.example.com/hooks/berth', hasSecret: true, failures: 0 },
    deliveredAt: now - 60_000,
  })
  store.put('listSubscriptions', {
    ...{ ...subscription, name: 'lb', url: 'redis://10.0.0.5:6379/berth', app: 'shop', hasSecret: false, failures: 7 },
    ...{ failingSince: now - 5 * 60_000, problem: 'connect ECONNREFUSED 10.0.0.5:6379' },
  })
}
