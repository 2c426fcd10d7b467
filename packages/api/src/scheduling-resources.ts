import { z } from 'zod'

/** Resources that say where and when instances run; see `index.ts`. */
const time = z.number().int()
const amount = z.number().int()

export const taint = z.object({ key: z.string(), value: z.string().optional() })

/** Of a node, by name: how many, or what there is one of each. */
export const nodeResources = z.record(z.string(), z.union([z.number().int().positive(), z.array(z.string())]))

export const nodeDrain = z.object({ since: time, by: z.string(), limit: z.number().int() })

/** How many images a node takes and gives at once, and how fast, both ways together. */
export const imageLimits = z.object({
  takes: amount.optional(),
  gives: amount.optional(),
  bytesPerSecond: amount.optional(),
})

export const groupQuota = z.object({ cpuMilli: amount.optional(), memoryBytes: amount.optional() })
export const memoryApproval = z.object({ aboveBytes: amount, approvers: z.array(z.string()) })

export const groupView = z.object({
  name: z.string(),
  cpu: z.enum(['bound', 'shared']),
  shareBase: z.union([z.literal(10), z.literal(100), z.literal(1000)]),
  maxSharedCores: z.number().int().optional(),
  oversellMilli: amount,
  quota: groupQuota.optional(),
  allowedOwners: z.array(z.string()).optional(),
  memoryApproval: memoryApproval.optional(),
  /** When a node joins, instances of others move to it, so many at a time. */
  rebalanceOnJoin: z.object({ disruption: amount }).optional(),
  /** Of its last rebalancing; absent: there was none. `getRebalance` tells more. */
  rebalance: z.enum(['running', 'ended']).optional(),
  images: imageLimits.optional(),
  nodes: z.number().int(),
  /** What its nodes have, and what of it is given out. */
  cpuMilli: amount,
  cpuGivenMilli: amount,
  memoryBytes: amount,
  memoryGivenBytes: amount,
  instances: z.number().int(),
  createdAt: time,
  createdBy: z.string(),
})

export const approvalView = z.object({
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  group: z.string(),
  memoryBytes: amount,
  state: z.enum(['waiting', 'approved', 'denied']),
  requestedAt: time,
  requestedBy: z.string(),
  decidedAt: time.optional(),
  decidedBy: z.string().optional(),
})

export const cronRun = z.object({
  /** When the schedule said so; of a run that somebody asked for, when that was. */
  dueAt: time,
  state: z.enum(['running', 'succeeded', 'failed', 'replaced', 'skipped', 'missed']),
  instance: z.string().optional(),
  /** Who asked for it; absent: the schedule. */
  by: z.string().optional(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  exitCode: z.number().int().optional(),
  message: z.string().optional(),
})

/** A job of a pool that runs by the clock. */
export const cronView = z.object({
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  cron: z.string(),
  zone: z.string(),
  overlap: z.enum(['skip', 'replace', 'allow']),
  history: z.number().int(),
  graceMs: z.number().int(),
  nextAt: time.optional(),
  /** The newest first. */
  runs: z.array(cronRun),
})

export type GroupView = z.infer<typeof groupView>
export type ApprovalView = z.infer<typeof approvalView>
export type CronView = z.infer<typeof cronView>
export type CronRunView = z.infer<typeof cronRun>
