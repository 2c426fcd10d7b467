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

export type BuildView = z.infer<typeof buildView>
export type RolloutView = z.infer<typeof rolloutView>
