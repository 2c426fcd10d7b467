import { z } from 'zod'

/** Parts that endpoints of several subjects are made of. */
export const none = z.strictObject({})
export const appParams = z.strictObject({ app: z.string() })
export const poolParams = z.strictObject({ app: z.string(), pool: z.string() })
export const idParams = z.strictObject({ id: z.string() })
export const nameParams = z.strictObject({ name: z.string() })
/** Only if the record is still as this version has it. */
export const ifVersion = z.strictObject({ version: z.coerce.number().int().nonnegative().optional() })
export const flag = z.stringbool().optional()
/** As many as a pool may have of an entrypoint. */
export const replicas = z.record(z.string(), z.number().int().min(0).max(10_000))
export const count = z.coerce.number().int().positive().optional()
export const watch = { watch: flag, revision: z.coerce.number().int().nonnegative().optional() }
export const listQuery = z.strictObject(watch)
/** null takes one back: the group's, or the default, holds again. */
export const imageLimitsChange = z.strictObject({
  takes: z.number().int().min(1).max(100).nullable().optional(),
  gives: z.number().int().min(1).max(100).nullable().optional(),
  bytesPerSecond: z.number().int().min(65_536).nullable().optional(),
})
export const ok = z.object({ ok: z.literal(true) })

/** One line of a followed log or build output. */
export const logLine = z.object({
  at: z.number().int(),
  instance: z.string().optional(),
  stream: z.enum(['stdout', 'stderr', 'system']),
  line: z.string(),
})
export type LogLine = z.infer<typeof logLine>
