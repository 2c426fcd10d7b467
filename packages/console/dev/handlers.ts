import type { Answer, CallInput } from '@berth/api/client'
import type { EndpointName, Endpoints } from '@berth/api/endpoints'
import type { MetricsView, SampleView } from '@berth/api/instance-resources'
import { BerthError } from '@berth/core/model/berth-error'
import type { MockStore } from './mock-store.ts'
import { poolTraffic } from './pool-traffic.ts'
import { receiptOf } from './receipt.ts'
import type { Simulation } from './simulation.ts'

type JsonName = { [N in EndpointName]: Endpoints[N]['transport'] extends 'json' ? N : never }[EndpointName]

/** `query` and `params` come as texts, `body` as it was sent. */
export interface Call {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  // biome-ignore lint/suspicious/noExplicitAny: the console's own requests, typed where they are made
  readonly body: any
}

export type JsonHandlers = { readonly [N in JsonName]?: (call: Call) => Answer<N> }

const missing = (what: string): BerthError => new BerthError(`${what.split(' ')[0]}.not-found`, `there is no ${what}`)

export function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw missing(what)
  return value
}

export function jsonHandlers(store: MockStore, simulation: Simulation, startedAt: number): JsonHandlers {
  const pool = ({ app = '', pool: name = '' }: Record<string, string>) =>
    need(
      store.get('listApps', app)?.pools.find((each) => each.name === name),
      `pool ${app}/${name}`,
    )
  const rollout = ({ id = '' }: Record<string, string>) => need(store.get('listRollouts', id), `rollout ${id}`)
  const instance = ({ id = '' }: Record<string, string>) => need(store.get('listInstances', id), `instance ${id}`)
  return {
    getStatus: () => status(store, startedAt),
    getClusterRegistry: () => registry(startedAt),
    getVersion: () => ({ version: '0.1.0', api: 'v1' }),
    getApp: ({ params: { app = '' } }) => need(store.get('listApps', app), `app ${app}`),
    getBuild: ({ params: { id = '' } }) => need(store.get('listBuilds', id), `build ${id}`),
    getRelease: ({ params: { app = '', release = '' } }) =>
      need(
        store.all('listReleases').find((each) => each.app === app && each.id === release),
        `release ${app}/${release}`,
      ),
    getRollout: ({ params }) => rollout(params),
    getInstance: ({ params }) => instance(params),
    getNode: ({ params: { name = '' } }) => need(store.get('listNodes', name), `node ${name}`),
    getMetrics: ({ query }) => ({ items: metrics(store, query) }),
    getPoolTraffic: ({ params, query }) => poolTraffic(store, pool(params), query),
    deploy: ({
      params: { app = '' },
      body,
    }: {
      params: Record<string, string>
      body: NonNullable<CallInput<'deploy'>['body']>
    }) =>
      body.release === undefined
        ? { build: simulation.build(app, body.ref ?? 'HEAD', body.pool) }
        : { rollout: simulation.rollout(pool({ app, pool: body.pool }), body.release, 'deploy') },
    promoteRelease: ({ params: { app = '' }, body }) => ({
      from: body.from,
      rollout: simulation.rollout(pool({ app, pool: body.to }), body.release, 'deploy'),
    }),
    getReleaseDiff: ({ params: { app = '', release = '' }, query: { pool: name = '', from } }) => ({
      ...{ app, pool: name, from: from ?? pool({ app, pool: name }).release ?? 'v1', to: release, sameImage: false },
      added: [
        { commit: 'a'.repeat(40), subject: 'Carts keep their order', author: 'Ada <ada@example.com>', at: startedAt },
      ],
      ...{ removed: [], more: false },
      changes: [{ op: '~' as const, path: 'entrypoints.web.cpu', before: '0.5', after: '1' }],
    }),
    rollbackPool: ({ params, body }) => simulation.rollout(pool(params), body.to ?? 'v13', 'rollback'),
    restartPool: ({ params }) => simulation.rollout(pool(params), pool(params).release ?? 'v1', 'restart'),
    scalePool: ({ params, body }) => scale(store, pool(params), body.replicas),
    pauseRollout: ({ params }) =>
      store.put('listRollouts', { ...rollout(params), state: 'paused', message: 'paused by token:dev' }),
    resumeRollout: ({ params }) =>
      store.put('listRollouts', { ...rollout(params), state: 'running', message: 'goes on' }),
    continueRollout: ({ params }) => simulation.continueStage(rollout(params)),
    skipStage: ({ params }) => simulation.skipStage(rollout(params)),
    rollbackRollout: ({ params }) => simulation.end(rollout(params), 'aborted', 'aborted by token:dev'),
    approveRollout: ({ params }) => {
      const { approvals: _, ...rest } = rollout(params)
      return store.put('listRollouts', { ...rest, state: 'running', message: 'approved by token:dev' })
    },
    getReceipt: ({ params }) => receiptOf(rollout(params)),
    abortRollout: ({ params }) => simulation.end(rollout(params), 'aborted', 'aborted by token:dev'),
    cancelBuild: ({ params: { id = '' } }) =>
      store.put('listBuilds', {
        ...need(store.get('listBuilds', id), `build ${id}`),
        state: 'cancelled',
        endedAt: Date.now(),
      }),
    restartInstance: ({ params }) =>
      store.put('listInstances', {
        ...instance(params),
        restarts: instance(params).restarts + 1,
        startedAt: Date.now(),
      }),
    stopInstance: ({ params }) =>
      store.put('listInstances', { ...instance(params), desired: 'stop', phase: 'stopping' }),
    createJoinToken: ({ body }) => ({
      token: 'join_3f9c',
      expiresAt: Date.now() + (body.ttlMs ?? 3_600_000),
      command: 'berth node join https://192.0.2.11:7600 --token join_3f9c2b7d41e8a605',
    }),
    createApp: ({ body }) =>
      store.put('listApps', { ...body, createdAt: Date.now(), createdBy: 'token:dev', pools: [] }),
    removeApp: ({ params: { app = '' } }) => simulation.removeApp(app),
    removePool: ({ params: { app = '', pool: name = '' } }) => simulation.removePool(app, name),
    startBuild: ({ params: { app = '' }, body }) => simulation.build(app, body.ref ?? 'HEAD', undefined),
    runJob: ({ params, body }) => simulation.job(pool(params), body),
    runCron: ({ params }) => {
      const { app = '', pool: name = '', entrypoint = '' } = params
      const cron = need(store.get('listCrons', `${app}/${name}/${entrypoint}`), `cron ${entrypoint}`)
      const job = simulation.job(pool(params), { entrypoint })
      const run = { dueAt: Date.now(), state: 'running' as const, instance: job.id, by: 'token:dev' }
      store.put('listCrons', { ...cron, runs: [run, ...cron.runs] })
      return job
    },
  }
}

function status(store: MockStore, startedAt: number): Answer<'getStatus'> {
  const nodes = store.all('listNodes')
  const instances = store.all('listInstances')
  return {
    version: '0.1.0',
    epoch: 'mock',
    revision: store.revision,
    startedAt,
    actor: 'token:dev',
    role: 'admin',
    authority: {
      fingerprint: '3b0f6c1d92e8a7745c60f1b2d3e4958677a8b9c0d1e2f30415263748596a7b8c',
      expiresAt: startedAt + 3_000 * 86_400_000,
      trustPem: '',
    },
    nodes: nodes.length,
    nodesOnline: nodes.filter((node) => node.online).length,
    apps: store.all('listApps').length,
    instances: instances.length,
    instancesReady: instances.filter((each) => each.ready).length,
  }
}

function scale(
  store: MockStore,
  pool: Answer<'scalePool'>,
  replicas: Readonly<Record<string, number>>,
): Answer<'scalePool'> {
  const entrypoints = pool.entrypoints.map((each) => {
    const wanted = replicas[each.name]
    return wanted === undefined
      ? each
      : { ...each, wanted, ready: Math.min(each.ready, wanted), setBy: 'scale' as const }
  })
  const scaled = { ...pool, entrypoints }
  const app = need(store.get('listApps', pool.app), `app ${pool.app}`)
  store.put('listApps', { ...app, pools: app.pools.map((each) => (each.name === pool.name ? scaled : each)) })
  return scaled
}

const everyMs = 2_000

function metrics(store: MockStore, query: Readonly<Record<string, string>>): MetricsView[] {
  const { app, pool, instance, node, sinceMs } = query
  const now = Date.now()
  const from = Math.max(Number(sinceMs ?? 0), now - 300_000)
  const wanted = store
    .all('listInstances')
    .filter(
      (each) =>
        each.phase !== 'ended' &&
        (app === undefined || each.app === app) &&
        (pool === undefined || each.pool === pool) &&
        (instance === undefined || each.id === instance) &&
        (node === undefined || each.node === node),
    )
  return wanted.map((each, i) => {
    const samples: SampleView[] = []
    for (let at = Math.ceil(from / everyMs) * everyMs; at <= now; at += everyMs) samples.push(sample(at, i))
    return {
      instance: each.id,
      node: each.node ?? '',
      cpuLimitMilli: each.cpuMilli ?? 500,
      memoryLimitBytes: each.memoryBytes ?? 1,
      // An agent of a version before does not tell.
      ...(each.node === 'mast-1' ? {} : { traffic: { in: counted, out: { ...counted, limitDrops: 1_204 } } }),
      samples,
    }
  })
}

const counted = { bytes: 41_877_211, packets: 61_204, errors: 0, drops: 0, limitDrops: 0 }

function sample(at: number, i: number): SampleView {
  const wave = (period: number) => (1 + Math.sin(at / period + i * 1.7)) / 2
  return {
    at,
    cpuMilli: 60 + 240 * wave(21_000) + 40 * wave(3_300),
    throttledMilli: 0,
    memoryBytes: (180 + 60 * wave(90_000) + 18 * i) * 1024 ** 2,
    networkInBytes: 40_000 + 180_000 * wave(17_000),
    networkOutBytes: 120_000 + 700_000 * wave(19_000),
    blockReadBytes: 0,
    blockWriteBytes: 4096,
    tcpConnections: 8 + 20 * wave(25_000),
    ...{ networkInErrors: 0, networkOutErrors: 0, networkInDrops: 0, networkOutDrops: 0, networkInLimitDrops: 0 },
    networkInPackets: Math.round(60 + 220 * wave(17_000)),
    networkOutPackets: Math.round(110 + 600 * wave(19_000)),
    networkOutLimitDrops: Math.round(40 * wave(19_000)) / 10,
  }
}

const registry = (now: number): Answer<'getClusterRegistry'> => ({
  ...{ node: 'anchor-1', host: '192.0.2.11:5000', since: now - 9 * 86_400_000, by: 'dev', running: true },
  ...{ images: 11, missing: 1, sizeBytes: 3.4 * 1024 ** 3, freeBytes: 121 * 1024 ** 3 },
  collected: { at: now - 7 * 3_600_000, tookMs: 840, removed: 3, freedBytes: 412 * 1024 ** 2 },
})
