import { z } from 'zod'

/** Resources of secrets and tokens; see `index.ts`. */
const time = z.number().int()

export const secretView = z.object({
  app: z.string(),
  /** Absent: for every environment of the app. */
  environment: z.string().optional(),
  name: z.string(),
  version: z.number().int(),
  updatedAt: time,
  updatedBy: z.string(),
})

export const tokenView = z.object({
  name: z.string(),
  owner: z.string(),
  role: z.enum(['admin', 'deployer', 'viewer']),
  createdAt: time,
  createdBy: z.string(),
  expiresAt: time.optional(),
})

export type SecretView = z.infer<typeof secretView>
export type TokenView = z.infer<typeof tokenView>
