import type { AppView, PoolView, ReleaseView } from '@berth/api/app-resources'
import type { ServerView } from '@berth/api/cluster-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { ConfigVersionView } from '@berth/api/node-config-resources'
import type { NodeView } from '@berth/api/node-resources'
import type { GroupView } from '@berth/api/scheduling-resources'
import type { MockStore } from './mock-store.ts'
import { instance } from './seed-instance.ts'
import { countGroups, countNode } from './totals.ts'

const hour = 3_600_000
const GiB = 1024 ** 3

/** Large machines, what runs on them, and the groups that all nodes are in. */
export function seedCluster(store: MockStore, now: number): void {
  for (const node of largeNodes(store, now)) store.put('listNodes', node)
  for (const version of configVersions(now)) store.put('listNodeConfigVersions', version)
  for (const app of largeApps(now)) store.put('listApps', app)
  for (const release of largeReleases(now)) store.put('listReleases', release)
  for (const each of largeInstances(now)) store.put('listInstances', each)
  for (const group of groups(now)) store.put('listGroups', group)
  for (const node of store.all('listNodes')) if (node.group === 'fast') store.put('listNodes', countNode(store, node))
  countGroups(store)
  for (const server of servers(now)) store.put('listServers', server)
}

const servers = (now: number): ServerView[] =>
  ['anchor-1', 'anchor-2', 'mast-1'].map((name, at) => ({
    ...{ name, version: '0.1.0', apiAddress: `192.0.2.${at + 1}:7600`, agentAddress: `192.0.2.${at + 1}:7601` },
    ...{ leads: at === 0 ? ['builds', 'clock', 'cluster', 'upkeep'] : [], hears: at === 2 ? 4 : 5, answers: at === 1 },
    startedAt: now - (at + 2) * 26 * hour,
  }))

const groups = (now: number): GroupView[] => {
  const counted = { nodes: 0, cpuMilli: 0, cpuGivenMilli: 0, memoryBytes: 0, memoryGivenBytes: 0, instances: 0 }
  const base = { ...counted, shareBase: 10 as const, oversellMilli: 1000, createdAt: now - 39 * 24 * hour }
  return [
    {
      ...base,
      name: 'default',
      cpu: 'shared',
      memoryApproval: { aboveBytes: 12 * GiB, approvers: ['Mai Tanaka'] },
      createdAt: 0,
      createdBy: 'system',
    },
    {
      ...base,
      name: 'fast',
      cpu: 'bound',
      maxSharedCores: 12,
      quota: { cpuMilli: 300_000, memoryBytes: 900 * GiB },
      allowedOwners: ['Build pipeline of the shop', 'Mai Tanaka'],
      createdBy: 'token:dev',
    },
    { ...base, name: 'trial', cpu: 'bound', shareBase: 100, oversellMilli: 1500, createdBy: 'token:dev' },
  ]
}

/** One that somebody has set a kernel setting on by hand. */
const config: NonNullable<NodeView['config']> = {
  ...{ version: 2, wanted: 2, state: 'applied', since: 1 },
  drift: [{ key: 'sysctl/net.core.somaxconn', before: '128', after: '4096' }],
}

const configVersions = (now: number): ConfigVersionView[] =>
  [1, 2].map((version) => ({
    ...{ version, state: 'done', message: 'every node that is online has it', createdBy: 'token:dev' },
    source: { repository: 'https://git.example/nodes.git', commit: `${version}`.repeat(40), path: 'nodes.yaml' },
    createdAt: now - (3 - version) * 24 * hour,
  }))

function largeNodes(store: MockStore, now: number): NodeView[] {
  const small = store.get('listNodes', 'anchor-3')
  if (small === undefined) return []
  const large = (name: string, n: number, cores: number, rest: Partial<NodeView>): NodeView => ({
    ...small,
    name,
    block: `10.77.${n}.0/24`,
    address: `192.0.2.1${n}`,
    group: 'fast',
    labels: { site: 'fra', disk: 'nvme', cpu: 'epyc-9754' },
    cpuMilli: cores * 1000,
    memoryBytes: cores * 4 * GiB,
    joinedAt: now - 9 * 24 * hour,
    ...rest,
  })
  return [
    large('mast-1', 4, 64, {
      taints: [{ key: 'dedicated', value: 'search' }],
      resources: { gpu: 2, fpga: ['a', 'b'] },
    }),
    large('mast-2', 5, 256, { speedMilli: 1250, config }),
  ]
}

type Entrypoint = PoolView['entrypoints'][number]

const largeApps = (now: number): AppView[] => {
  const service = (name: string, wanted: number, cpuMilli: number): Entrypoint => ({
    ...{ name, type: 'service', wanted, setBy: 'spec', running: wanted, ready: wanted },
    ...{ cpuMilli, memoryBytes: 2 * GiB },
  })
  const app = (name: string, release: string, entrypoints: Entrypoint[]): AppView => ({
    name,
    vcs: 'git',
    repository: `https://git.example.com/acme/${name}.git`,
    createdAt: now - 9 * 24 * hour,
    createdBy: 'token:ci',
    latestRelease: release,
    pools: [
      {
        ...{ app: name, name: 'production', environment: 'production', group: 'fast', release, generation: 2 },
        entrypoints,
        urls: [`https://${name}.example.com/`],
      },
    ],
  })
  return [
    app('search', 'v31', [service('index', 6, 8000), service('query', 24, 1300), service('rank', 9, 2400)]),
    app('video', 'v9', [{ ...service('transcode', 7, 16_000), running: 6, ready: 6 }, service('upload', 10, 400)]),
    app('fraud', 'v5', [service('score', 8, 700)]),
  ]
}

const largeReleases = (now: number): ReleaseView[] =>
  (
    [
      ['search', 'v31'],
      ['video', 'v9'],
      ['fraud', 'v5'],
    ] as const
  ).map(([app, id]) => ({
    ...{ app, id, subject: 'Larger batches', image: `berth/${app}@sha256:5eed`, createdBy: 'token:ci' },
    createdAt: now - 2 * 24 * hour,
    runningIn: ['production'],
    served: [],
    spec: { app, entrypoints: {} },
  }))

function largeInstances(now: number): InstanceView[] {
  const many = (app: string, entrypoint: string, release: string, cpuMilli: number, nodes: readonly string[]) =>
    nodes.map((node, index) =>
      instance(app, 'production', entrypoint, index + 1, now, {
        ...{ release, cpuMilli, memoryBytes: 2 * GiB, node, generation: 2, group: 'fast' },
        address: `10.77.${node === 'mast-1' ? 4 : 5}.${20 + index}`,
      }),
    )
  const on = (first: number, second: number): string[] => [
    ...Array.from({ length: first }, () => 'mast-1'),
    ...Array.from({ length: second }, () => 'mast-2'),
  ]
  return [
    ...many('search', 'index', 'v31', 8000, on(2, 4)),
    ...many('search', 'query', 'v31', 1300, on(8, 16)),
    ...many('search', 'rank', 'v31', 2400, on(4, 5)),
    ...many('video', 'transcode', 'v9', 16_000, on(0, 6)),
    ...many('video', 'upload', 'v9', 400, on(4, 6)),
    ...many('fraud', 'score', 'v5', 700, on(3, 5)),
    waiting(now),
  ]
}

/** One that no node has room for, and why. */
function waiting(now: number): InstanceView {
  const {
    node: _,
    address: __,
    startedAt: ___,
    readyAt: ____,
    containerId: _____,
    ...fresh
  } = instance(...(['video', 'production', 'transcode', 7, now - 4 * 60_000] as const))
  return {
    ...fresh,
    ...{ release: 'v9', cpuMilli: 16_000, memoryBytes: 2 * GiB, generation: 2, group: 'fast' },
    phase: 'pending',
    ready: false,
    inTraffic: false,
    message:
      '5 nodes: 3 another group, 1 tainted (mast-1, dedicated=search), 1 too little encoder (most free: mast-2, 0 of 1)',
  }
}
