import { z } from 'zod'

/** Resources of builds and rollouts; see `index.ts`. */
const time = z.number().int()

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
  /** It began by itself, after a push to `refs/heads/main`. */
  trigger: z.object({ ref: z.string(), by: z.enum(['webhook', 'poll', 'person']) }).optional(),
  /** Of one that waits: how many begin before it, as far as is known now. */
  ahead: z.number().int().optional(),
  /** Its image is there since then, and its tests run. */
  testsSince: time.optional(),
  rollout: z.string().optional(),
  error: z.object({ code: z.string(), message: z.string(), logTail: z.array(z.string()).optional() }).optional(),
  createdAt: time,
  startedAt: time.optional(),
  endedAt: time.optional(),
  createdBy: z.string(),
})

const count = z.number().int()

const requestTimes = z.object({ requests: count, p50Ms: z.number().optional(), p99Ms: z.number().optional() })

/** What became of requests while a rollout was under way. */
export const rolloutRequests = z.object({
  requests: count,
  errors: count,
  /** Got no answer of an instance. */
  lost: count,
  /** Of the ten minutes before it began. */
  before: requestTimes,
  /** Of the new release. */
  after: requestTimes,
})

export const hookView = z.object({
  type: z.enum(['job', 'url']),
  state: z.enum(['waiting', 'running', 'done', 'failed']),
  /** What it is, and what came of it. */
  message: z.string(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  /** Who let the stage go on although it failed. */
  by: z.string().optional(),
  /** What it printed or answered last, as much of it as is kept. */
  output: z.string().optional(),
})

export const stageView = z.object({
  name: z.string(),
  /** Where its instances are; absent: anywhere. */
  sites: z.array(z.string()).optional(),
  /** Of a stage about sites, once it is open: how many are new at its end, by entrypoint. */
  counts: z.record(z.string(), count).optional(),
  startedAt: time.optional(),
  /** Since when as many as it is about have served: its gates look at what came after. */
  readyAt: time.optional(),
  endedAt: time.optional(),
  /** Who had it end whatever its gates said. */
  skippedBy: z.string().optional(),
  /** How much of the requests goes to the new release by now, in thousandths, where that grows while the stage lasts. */
  share: count.optional(),
  gates: z.array(
    z.object({
      type: z.enum(['health', 'person', 'job', 'errors', 'latency', 'lost', 'query']),
      verdict: z.enum(['waiting', 'no-data', 'passed', 'failed']),
      message: z.string(),
      at: time.optional(),
      by: z.string().optional(),
    }),
  ),
  /** One after the other before its first instance is replaced, and after its gates have passed. Absent: none. */
  before: z.array(hookView).optional(),
  after: z.array(hookView).optional(),
  /** New instances that served at its end, by entrypoint. */
  served: z.record(z.string(), count).optional(),
  /** From the rollout's begin to the stage's end; absent: nobody counted. */
  requests: rolloutRequests.optional(),
})

export const pauseView = z.object({ since: time, until: time.optional(), reason: z.string() })

const approvalsView = z.object({
  needed: count,
  given: z.array(z.object({ by: z.string(), at: time, admin: z.boolean().optional() })),
  /** Those of an admin's rules, as they were when it was begun. */
  rules: z.array(z.object({ name: z.string(), needed: count, role: z.enum(['deployer', 'admin']) })).optional(),
})

const failureView = z.object({
  instance: z.string().optional(),
  node: z.string().optional(),
  reason: z.string(),
  logTail: z.array(z.string()),
})

const rolloutReason = z.enum(['deploy', 'rollback', 'restart'])
const rolloutStates = z.enum(['running', 'paused', 'rolling-back', 'succeeded', 'rolled-back', 'failed', 'aborted'])

export const rolloutView = z.object({
  id: z.string(),
  app: z.string(),
  pool: z.string(),
  reason: rolloutReason,
  from: z.string().optional(),
  to: z.string(),
  state: rolloutStates,
  message: z.string(),
  /** Of an instance, or of a node before there was one on it. */
  failure: failureView.optional(),
  /** What it goes through, first to last; the first that has not ended is under way. Absent: it has no stages. */
  stages: z.array(stageView).optional(),
  /** How many others than who asked for it have to say yes before it begins, and who has. */
  approvals: approvalsView.optional(),
  /** What became of requests while it was under way; absent: nobody counted, or it has not ended. */
  requests: rolloutRequests.optional(),
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

/** What a rollout was, for those who ask later. */
export const receiptView = z.object({
  rollout: z.string(),
  app: z.string(),
  pool: z.string(),
  reason: rolloutReason,
  from: z.string().optional(),
  to: z.string(),
  commit: z.string().optional(),
  subject: z.string().optional(),
  image: z.string().optional(),
  by: z.string(),
  state: rolloutStates,
  message: z.string(),
  failure: failureView.optional(),
  createdAt: time,
  endedAt: time.optional(),
  tookMs: count,
  /** Of each service: how many there were before, and are to be. */
  plan: z.record(z.string(), z.object({ before: count, after: count })),
  stages: z.array(stageView.extend({ tookMs: count.optional() })),
  /** When it stood still, and why. */
  pauses: z.array(pauseView),
  /** Absent: nobody counted, or it has not ended. */
  requests: rolloutRequests.optional(),
  approvals: approvalsView.optional(),
  /** Why it was begun although deploys were frozen. */
  frozen: z.object({ freezes: z.array(z.string()), reason: z.string() }).optional(),
})

export type StageView = z.infer<typeof stageView>
export type ReceiptView = z.infer<typeof receiptView>
export type BuildView = z.infer<typeof buildView>
export type RolloutView = z.infer<typeof rolloutView>
