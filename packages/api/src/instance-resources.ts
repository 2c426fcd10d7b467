import { z } from 'zod'
import { grantView } from './sizing-resources.ts'

/** Resources of instances and what they use; see `index.ts`. */
const time = z.number().int()

/** A port of an instance's node that leads to one of its own. */
export const publishedPort = z.strictObject({
  /** Only where the node is called by this address of its own. Absent: by any but loopback's. */
  hostAddress: z.ipv4().optional(),
  hostPort: z.number().int().min(1).max(65_535),
  port: z.number().int().min(1).max(65_535),
  protocol: z.enum(['tcp', 'udp']),
})

/** A Docker network that an instance is in beside its own. */
export const networkAttachment = z.strictObject({
  name: z.string().min(1).max(63),
  /** Absent: Docker chooses one. */
  address: z.ipv4().optional(),
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
  /** Its one of IPv6. Absent: its address pool has none. */
  address6: z.string().optional(),
  /** It has the address with this number of those that its entrypoint keeps. */
  slot: z.number().int().optional(),
  /** Absent: the cluster's. Else `host`, `bridge` or `bridge:<Docker network>`, and the address is the node's. */
  network: z.string().optional(),
  /** Docker networks that it is in as well, with its address there once it has one. */
  networks: z.array(networkAttachment).optional(),
  /** Ports of its node that lead to it, published while it runs. */
  published: z.array(publishedPort).optional(),
  phase: z.enum(['pending', 'assigned', 'running', 'stopping', 'ended']),
  desired: z.enum(['run', 'drain', 'stop']),
  ready: z.boolean(),
  readyAt: time.optional(),
  inTraffic: z.boolean(),
  restarts: z.number().int(),
  cpuMilli: z.number().int().optional(),
  memoryBytes: z.number().int().optional(),
  /** Limits of its network. */
  inBitsPerSecond: z.number().int().optional(),
  outBitsPerSecond: z.number().int().optional(),
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
  /** Packets, and those that were lost: by an error, dropped by the interface, or for want of room below a limit. Absent: an agent that does not tell. */
  networkInPackets: z.number().optional(),
  networkOutPackets: z.number().optional(),
  networkInErrors: z.number().optional(),
  networkOutErrors: z.number().optional(),
  networkInDrops: z.number().optional(),
  networkOutDrops: z.number().optional(),
  networkInLimitDrops: z.number().optional(),
  networkOutLimitDrops: z.number().optional(),
  blockReadBytes: z.number(),
  blockWriteBytes: z.number(),
  tcpConnections: z.number(),
})

/** Of one direction, as the instance sees it, since its interface was made. */
const trafficCounts = z.object({
  bytes: z.number(),
  packets: z.number(),
  /** Lost by an error. */
  errors: z.number(),
  /** Dropped by the interface. */
  drops: z.number(),
  /** Dropped for want of room below its limit. */
  limitDrops: z.number(),
})

export const metricsView = z.object({
  instance: z.string(),
  node: z.string(),
  cpuLimitMilli: z.number(),
  memoryLimitBytes: z.number(),
  /** Absent: it is not read now, or by an agent that does not tell. */
  traffic: z.object({ in: trafficCounts, out: trafficCounts }).optional(),
  samples: z.array(sampleView),
})

export type InstanceView = z.infer<typeof instanceView>
export type SampleView = z.infer<typeof sampleView>
export type TrafficCounts = z.infer<typeof trafficCounts>
export type MetricsView = z.infer<typeof metricsView>
