import { z } from 'zod'

/** What releases go by, beside their rollouts. */
const time = z.number().int()

export const metricSourceDocument = z.strictObject({
  url: z.string(),
  /** Absent: as before; empty: none, and the secret is a token. */
  user: z.string().optional(),
  /** A token, or the user's password. Absent: as before, for the same URL and user; empty: none. */
  secret: z.string().optional(),
  /** PEM: who has signed its certificate. Absent: as before; empty: whom the server's machine trusts. */
  ca: z.string().optional(),
})

export const metricSourceView = z.object({
  url: z.string(),
  user: z.string().optional(),
  hasSecret: z.boolean().optional(),
  hasCa: z.boolean().optional(),
  updatedAt: time,
  updatedBy: z.string(),
})

export const approvalRuleView = z.object({
  name: z.string(),
  /** Absent: of all apps. */
  app: z.string().optional(),
  pool: z.string().optional(),
  needed: z.number().int(),
  /** Whose yes counts; of `deployer` anybody's who may deploy. */
  role: z.enum(['deployer', 'admin']),
  createdAt: time,
  createdBy: z.string(),
})

export const hookTargetDocument = z.strictObject({
  /** `https://ci.example/berth`: it, and what is below it. */
  url: z.string(),
  /** What is posted there is signed with it. Absent: as before; empty: none. */
  secret: z.string().optional(),
})

export const hookTargetView = z.object({
  name: z.string(),
  url: z.string(),
  hasSecret: z.boolean(),
  updatedAt: time,
  updatedBy: z.string(),
})

export const freezeView = z.object({
  name: z.string(),
  /** Absent: of all apps. */
  app: z.string().optional(),
  pool: z.string().optional(),
  when: z.discriminatedUnion('type', [
    z.object({ type: z.literal('once'), from: time, until: time }),
    z.object({ type: z.literal('again'), cron: z.string(), zone: z.string(), forMs: z.number().int() }),
  ]),
  reason: z.string(),
  /** It freezes now, until then. */
  until: time.optional(),
  createdAt: time,
  createdBy: z.string(),
})

export type HookTargetView = z.infer<typeof hookTargetView>
export type ApprovalRuleView = z.infer<typeof approvalRuleView>
export type FreezeView = z.infer<typeof freezeView>
export type MetricSourceView = z.infer<typeof metricSourceView>
