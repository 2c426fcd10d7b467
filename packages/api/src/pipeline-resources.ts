import { z } from 'zod'

/** Resources of pipelines: from a push to an image, and through environments; see `index.ts`. */
const time = z.number().int()
const texts = z.array(z.string()).max(200)

/** What is left out is not there. */
export const pipelineDocument = z.strictObject({
  /** Patterns of branches whose pushes are built: `main`, `release/*`. */
  branches: texts.optional(),
  /** Patterns of tags: `v*`. */
  tags: texts.optional(),
  /** Environment that gets what a push has made. */
  deploy: z.string().optional(),
  /** In the order in which one image is promoted through them. */
  environments: texts.optional(),
  /** Those of them that get by themselves what has succeeded in the one before. */
  automatic: texts.optional(),
  pollMs: z.number().int().optional(),
})

export const pipelineView = z.object({
  app: z.string(),
  branches: z.array(z.string()),
  tags: z.array(z.string()),
  deploy: z.string().optional(),
  environments: z.array(z.string()),
  automatic: z.array(z.string()),
  pollMs: z.number().int().optional(),
  /** Path of the server at which webhooks are taken; absent: none are, until a secret is made. */
  webhook: z.string().optional(),
  /** Where its branches and tags were at the last look, by name (`refs/heads/main`); absent: nobody has looked yet. */
  seen: z.record(z.string(), z.string()).optional(),
  seenAt: time.optional(),
  version: z.number().int(),
  updatedAt: time,
  updatedBy: z.string(),
})

export const webhookSecretView = z.object({
  /** `/hooks/shop`, at any of the servers. */
  path: z.string(),
  /** In this answer and nowhere else. */
  secret: z.string(),
})

export type PipelineView = z.infer<typeof pipelineView>
