import { z } from 'zod'
import { nodeConfigView } from './node-config-resources.ts'
import { placementView, savedPlan } from './planning-resources.ts'
import { imageLimits, nodeDrain, nodeResources, taint } from './scheduling-resources.ts'
import { grantView, sizesView } from './sizing-resources.ts'

/**
 * The resources as they travel over HTTP. The server makes them from its records; the CLI and the console know only these.
 * Times are milliseconds since the epoch, CPU thousandths of a core, sizes bytes.
 */
const time = z.number().int()
const labels = z.record(z.string(), z.string())

export const poolView = z.object({
  app: z.string(),
  name: z.string(),
  environment: z.string(),
  /** Its own, whatever its berth.yaml says. */
  group: z.string().optional(),
  release: z.string().optional(),
  generation: z.number().int(),
  rollout: z.string().optional(),
  entrypoints: z.array(
    z.object({
      name: z.string(),
      type: z.enum(['service', 'job']),
      wanted: z.number().int(),
      /** `nodes`: one (or so many) runs on every node that matches. */
      setBy: z.enum(['spec', 'scale', 'nodes']),
      running: z.number().int(),
      ready: z.number().int(),
      cpuMilli: z.number().int().optional(),
      memoryBytes: z.number().int().optional(),
      /** What its berth.yaml says, where `resize` has set something. */
      written: sizesView.optional(),
      /** What was asked for with `resize`, and waits for approval. */
      awaited: sizesView.optional(),
    }),
  ),
  urls: z.array(z.string()),
  /** It is being drained and removed. */
  removing: z.boolean().optional(),
})

export const appView = z.object({
  name: z.string(),
  repository: z.string().optional(),
  vcs: z.enum(['git', 'svn']),
  createdAt: time,
  createdBy: z.string(),
  latestRelease: z.string().optional(),
  pools: z.array(poolView),
  /** It is being taken apart: its pools first, then releases, builds and secrets. */
  removing: z.boolean().optional(),
})

export const releaseView = z.object({
  app: z.string(),
  id: z.string(),
  commit: z.string().optional(),
  subject: z.string().optional(),
  image: z.string(),
  build: z.string().optional(),
  createdAt: time,
  createdBy: z.string(),
  /** Pools that run it now. */
  runningIn: z.array(z.string()),
  /** The canonical spec (`AppSpec` of @berth/core). */
  spec: z.unknown(),
})

export const buildView = z.object({
  id: z.string(),
  app: z.string(),
  ref: z.string(),
  commit: z.string().optional(),
  subject: z.string().optional(),
  state: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  reused: z.boolean().optional(),
  node: z.string().optional(),
  image: z.string().optional(),
  release: z.string().optional(),
  deployTo: z.string().optional(),
  rollout: z.string().optional(),
  error: z.object({ code: z.string(), message: z.string(), logTail: z.array(z.string()).optional() }).optional(),
  createdAt: time,
  startedAt: time.optional(),
  endedAt: time.optional(),
  createdBy: z.string(),
})

export const rolloutView = z.object({
  id: z.string(),
  app: z.string(),
  pool: z.string(),
  reason: z.enum(['deploy', 'rollback', 'restart']),
  from: z.string().optional(),
  to: z.string(),
  state: z.enum(['running', 'paused', 'rolling-back', 'succeeded', 'rolled-back', 'failed', 'aborted']),
  message: z.string(),
  /** Of an instance, or of a node before there was one on it. */
  failure: z
    .object({
      instance: z.string().optional(),
      node: z.string().optional(),
      reason: z.string(),
      logTail: z.array(z.string()),
    })
    .optional(),
  /** How far the image has come to the nodes that will need it, before anything is replaced; absent: they had it. */
  images: z
    .object({
      wanted: z.number().int(),
      there: z.number().int(),
      /** The first of those that do not have it yet. */
      missing: z.array(z.string()),
      since: time,
      changedAt: time,
      doneAt: time.optional(),
    })
    .optional(),
  progress: z.record(
    z.string(),
    z.object({
      wanted: z.number().int(),
      newReady: z.number().int(),
      newStarting: z.number().int(),
      oldServing: z.number().int(),
      oldDraining: z.number().int(),
    }),
  ),
  createdAt: time,
  updatedAt: time,
  endedAt: time.optional(),
  createdBy: z.string(),
})

export const instanceView = z.object({
  id: z.string(),
  /** `web-4`: unique in its pool. */
  name: z.string(),
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  release: z.string(),
  generation: z.number().int(),
  type: z.enum(['service', 'job']),
  /** Of a one-off job: what it runs instead of the entrypoint's command. */
  command: z.array(z.string()).optional(),
  rollout: z.string().optional(),
  node: z.string().optional(),
  address: z.string().optional(),
  phase: z.enum(['pending', 'assigned', 'running', 'stopping', 'ended']),
  desired: z.enum(['run', 'drain', 'stop']),
  ready: z.boolean(),
  readyAt: time.optional(),
  inTraffic: z.boolean(),
  restarts: z.number().int(),
  cpuMilli: z.number().int().optional(),
  memoryBytes: z.number().int().optional(),
  /** What its container has, while that is another than its grant. */
  granted: grantView.optional(),
  /** It was resized by itself, so its entrypoint's sizes do not change it. */
  sizedAlone: z.boolean().optional(),
  group: z.string().optional(),
  /** The cores that it owns: `2-3,7:300`. */
  cores: z.string().optional(),
  resources: z.record(z.string(), z.union([z.number().int(), z.array(z.string())])).optional(),
  priority: z.number().int().optional(),
  /** A run of the job's schedule: when it was due. */
  dueAt: time.optional(),
  containerId: z.string().optional(),
  message: z.string().optional(),
  stopReason: z.string().optional(),
  lastExit: z
    .object({ code: z.number().int(), signal: z.string().optional(), outOfMemory: z.boolean(), at: time })
    .optional(),
  logTail: z.array(z.string()).optional(),
  createdAt: time,
  createdBy: z.string(),
  startedAt: time.optional(),
  endedAt: time.optional(),
})

export const nodeView = z.object({
  name: z.string(),
  labels,
  block: z.string(),
  address: z.string(),
  schedulable: z.boolean(),
  /** Absent: default. */
  group: z.string().optional(),
  /** Absent: 1000, as fast as the others. */
  speedMilli: z.number().int().optional(),
  taints: z.array(taint).optional(),
  resources: nodeResources.optional(),
  /** Where it differs from its group. */
  images: imageLimits.optional(),
  /** What holds for it, all told. */
  imageRules: imageLimits.optional(),
  drain: nodeDrain.optional(),
  online: z.boolean(),
  gateway: z.boolean(),
  cpuMilli: z.number().int(),
  cpuGivenMilli: z.number().int(),
  memoryBytes: z.number().int(),
  memoryGivenBytes: z.number().int(),
  diskBytes: z.number().int(),
  diskFreeBytes: z.number().int(),
  instances: z.number().int(),
  agentVersion: z.string(),
  engineVersion: z.string(),
  kernel: z.string(),
  os: z.string(),
  cgroup: z.enum(['v1', 'v2']),
  /** Where what instances left in `/persist` is kept after their end, and how long. */
  endedFiles: z.object({ directory: z.string(), keepMs: z.number().int() }).optional(),
  /** The last upgrade of its executable. */
  upgrade: z
    .object({
      state: z.enum(['switching', 'done', 'rolled-back']),
      from: z.string(),
      to: z.string(),
      at: time,
      why: z.string().optional(),
    })
    .optional(),
  /** What it has of the node configuration; absent while there is none. */
  config: nodeConfigView.optional(),
  problems: z.array(z.string()),
  /** Its certificate is renewed by itself in the last third of its life. */
  certificateExpiresAt: time.optional(),
  joinedAt: time,
})

/** An image under one of Berth's names on a node. */
export const imageView = z.object({
  node: z.string(),
  reference: z.string(),
  id: z.string(),
  /** Absent: a level. */
  app: z.string().optional(),
  /** Releases that are made of it: `shop@v7`. */
  releases: z.array(z.string()),
  createdAt: time,
  /** With the layers that it shares with others. */
  sizeBytes: z.number().int(),
  /** `unneeded` ones go by themselves, `new` ones are too young to judge. */
  state: z.enum(['used', 'release', 'level', 'building', 'new', 'unneeded']),
})

export const secretView = z.object({
  app: z.string(),
  /** Absent: for every environment of the app. */
  environment: z.string().optional(),
  name: z.string(),
  version: z.number().int(),
  updatedAt: time,
  updatedBy: z.string(),
})

/** A login at an image registry; its password is never shown. */
export const registryView = z.object({
  host: z.string(),
  username: z.string(),
  version: z.number().int(),
  updatedAt: time,
  updatedBy: z.string(),
})

/** A collection of the registry's garbage. */
export const registryCollectionView = z.object({
  at: time,
  tookMs: z.number().int(),
  removed: z.number().int(),
  freedBytes: z.number(),
})

/** The cluster's own registry; an object without `node` where there is none. */
export const clusterRegistryView = z.object({
  node: z.string().optional(),
  /** `10.0.0.5:5000`, as Docker calls it. */
  host: z.string().optional(),
  since: time.optional(),
  by: z.string().optional(),
  running: z.boolean(),
  problem: z.string().optional(),
  /** Of releases: those that it has, and those that it does not. */
  images: z.number().int(),
  missing: z.number().int(),
  sizeBytes: z.number().optional(),
  freeBytes: z.number().optional(),
  certificateExpiresAt: time.optional(),
  collected: registryCollectionView.optional(),
})

export const tokenView = z.object({
  name: z.string(),
  owner: z.string(),
  role: z.enum(['admin', 'deployer', 'viewer']),
  createdAt: time,
  createdBy: z.string(),
  expiresAt: time.optional(),
})

export const eventView = z.object({
  id: z.string(),
  at: time,
  type: z.string(),
  actor: z.string(),
  subject: z.record(z.string(), z.string()),
  message: z.string(),
})

export const routeView = z.object({
  url: z.string(),
  host: z.string(),
  path: z.string(),
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  tls: z.enum(['off', 'on', 'redirect']),
  members: z.array(z.object({ instance: z.string(), address: z.string(), port: z.number(), state: z.string() })),
})

export const certificateView = z.object({
  name: z.string(),
  hosts: z.array(z.string()),
  notBefore: time,
  notAfter: time,
  updatedAt: time,
  updatedBy: z.string(),
})

/** One change that a plan would make; see `Plan` of @berth/core. */
export const planView = z.object({
  app: z.string(),
  pool: z.string(),
  from: z.string().optional(),
  to: z.string().optional(),
  changes: z.boolean(),
  entrypoints: z.array(
    z.object({
      name: z.string(),
      action: z.enum(['create', 'update', 'destroy', 'unchanged']),
      create: z.number().int(),
      replace: z.number().int(),
      destroy: z.number().int(),
      unchanged: z.number().int(),
      /** Instances that serve now, the fewest that do while the change is made, and the most that exist at a time. */
      serving: z.object({ now: z.number().int(), lowest: z.number().int(), highest: z.number().int() }),
    }),
  ),
  /** `~ entrypoints.web.env.COLOR: "blue" → "green"` as data. */
  diff: z.array(
    z.object({
      op: z.enum(['+', '-', '~']),
      path: z.string(),
      before: z.unknown().optional(),
      after: z.unknown().optional(),
    }),
  ),
  problems: z.array(z.string()),
  steps: z.array(z.string()),
  /** Where the new instances would run. */
  placements: z.array(placementView),
  /** To be handed to `applyPlan`; absent where nothing could be done so: the release is not built yet, or nodes are imagined. */
  saved: savedPlan.optional(),
  /** Why there is nothing to hand over. */
  unsaved: z.string().optional(),
})

/** A sample of one instance (or node). Rates are per second over the last interval. */
export const sampleView = z.object({
  at: time,
  cpuMilli: z.number(),
  throttledMilli: z.number(),
  /** Thousandths of the CPU limit's periods in which it was reached. Absent: no limit, or an agent that does not tell. */
  throttledPeriodsMilli: z.number().optional(),
  memoryBytes: z.number(),
  networkInBytes: z.number(),
  networkOutBytes: z.number(),
  blockReadBytes: z.number(),
  blockWriteBytes: z.number(),
  tcpConnections: z.number(),
})

export const metricsView = z.object({
  instance: z.string(),
  node: z.string(),
  cpuLimitMilli: z.number(),
  memoryLimitBytes: z.number(),
  samples: z.array(sampleView),
})

/** Where the server's records are, and how that is. */
export const storeView = z.object({
  kind: z.enum(['sqlite', 'etcd']),
  location: z.string(),
  revision: z.number().int(),
  healthy: z.boolean(),
  sizeBytes: z.number().optional(),
  members: z
    .array(
      z.object({
        address: z.string(),
        healthy: z.boolean(),
        version: z.string().optional(),
        sizeBytes: z.number().optional(),
        leader: z.boolean().optional(),
        problem: z.string().optional(),
      }),
    )
    .optional(),
})

/** One of the servers on the store. */
export const serverView = z.object({
  name: z.string(),
  version: z.string(),
  startedAt: time,
  /** `host:port` of its API, unless it is reached by its socket only. */
  apiAddress: z.string().optional(),
  agentAddress: z.string().optional(),
  /** Nodes whose agents it hears. */
  hears: z.number().int().optional(),
  /** What it leads: `cluster`, `builds`, `clock`, `upkeep`. */
  leads: z.array(z.string()),
  /** The one that answers. */
  answers: z.boolean(),
})

export const statusView = z.object({
  version: z.string(),
  epoch: z.string(),
  revision: z.number().int(),
  startedAt: time,
  actor: z.string(),
  role: z.enum(['admin', 'deployer', 'viewer']),
  nodes: z.number().int(),
  nodesOnline: z.number().int(),
  apps: z.number().int(),
  instances: z.number().int(),
  instancesReady: z.number().int(),
  /** The cluster's own authority: what to trust it by. */
  authority: z.object({ fingerprint: z.string(), expiresAt: time, trustPem: z.string() }).optional(),
  /** Where machines that join dial: the API, and the port of agents on the same host. */
  joining: z.object({ server: z.string(), agentPort: z.number().int() }).optional(),
  store: storeView.optional(),
  /** Of the server itself, one sentence each. */
  problems: z.array(z.string()).optional(),
  gatewayUrl: z.string().optional(),
  consoleUrl: z.string().optional(),
  /** The server that answers, and all that there are. Absent from servers of the form before. */
  server: z.string().optional(),
  servers: z.array(serverView).optional(),
})

/** A backup travels as these lines: its head, perhaps keys, every record in the order of keys, its end. */
export const backupLine = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('backup'),
    form: z.number().int(),
    version: z.string(),
    /** Of the store that it is of, and at which revision. */
    epoch: z.string(),
    revision: z.number().int(),
    at: time,
  }),
  /** `secret.key` and the authority, sealed by the passphrase. */
  z.object({ type: z.literal('keys'), sealed: z.string() }),
  z.object({ type: z.literal('record'), key: z.string(), value: z.string() }),
  /** Checksum of all lines before, each as compact JSON and a line feed. */
  z.object({ type: z.literal('end'), records: z.number().int(), sha256: z.string() }),
])

export type BackupLine = z.infer<typeof backupLine>
export type PoolView = z.infer<typeof poolView>
export type AppView = z.infer<typeof appView>
export type ReleaseView = z.infer<typeof releaseView>
export type BuildView = z.infer<typeof buildView>
export type RolloutView = z.infer<typeof rolloutView>
export type InstanceView = z.infer<typeof instanceView>
export type NodeView = z.infer<typeof nodeView>
export type ImageView = z.infer<typeof imageView>
export type SecretView = z.infer<typeof secretView>
export type RegistryView = z.infer<typeof registryView>
export type ClusterRegistryView = z.infer<typeof clusterRegistryView>
export type RegistryCollectionView = z.infer<typeof registryCollectionView>
export type TokenView = z.infer<typeof tokenView>
export type EventView = z.infer<typeof eventView>
export type RouteView = z.infer<typeof routeView>
export type CertificateView = z.infer<typeof certificateView>
export type PlanView = z.infer<typeof planView>
export type SampleView = z.infer<typeof sampleView>
export type MetricsView = z.infer<typeof metricsView>
export type ServerView = z.infer<typeof serverView>
export type StatusView = z.infer<typeof statusView>
