import { z } from 'zod'

/** What releases go by, beside their rollouts. */
const time = z.number().int()

export const metricSourceView = z.object({ url: z.string(), updatedAt: time, updatedBy: z.string() })

export type MetricSourceView = z.infer<typeof metricSourceView>
