import { z } from 'zod'

/** What releases go by, beside their rollouts. */
const time = z.number().int()

export const metricSourceView = z.object({ url: z.string(), updatedAt: time, updatedBy: z.string() })

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

export type FreezeView = z.infer<typeof freezeView>
export type MetricSourceView = z.infer<typeof metricSourceView>
