import { z } from 'zod'

export const subscriptionDocument = z.strictObject({
  /** `https://…`, or `redis://host:port/channel`. */
  url: z.string(),
  /** `*`, `rollout.*`, `instance.ready`; absent: all. */
  events: z.array(z.string()).optional(),
  /** Only events about this app. */
  app: z.string().optional(),
  /** What deliveries are signed with, or Redis's password. Absent: as before; empty: none. */
  secret: z.string().optional(),
  /** From events behind this revision on. Absent: from now on, or as far as it has come. */
  from: z.number().int().nonnegative().optional(),
})

export const subscriptionView = z.object({
  name: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  app: z.string().optional(),
  hasSecret: z.boolean(),
  /** All events up to it have been told. */
  revision: z.number().int(),
  deliveredAt: z.number().int().optional(),
  /** Tries in a row that failed. */
  failures: z.number().int(),
  failingSince: z.number().int().optional(),
  problem: z.string().optional(),
  updatedAt: z.number().int(),
  updatedBy: z.string(),
})
export type SubscriptionView = z.infer<typeof subscriptionView>
