import { z } from 'zod'
import { sizesView } from './sizing-resources.ts'

/** Resources of apps, their pools and releases; see `index.ts`. */
const time = z.number().int()

export const poolView = z.object({
  app: z.string(),
  name: z.string(),
  environment: z.string(),
  /** Its own, whatever its berth.yaml says. */
  group: z.string().optional(),
  release: z.string().optional(),
  generation: z.number().int(),
  rollout: z.string().optional(),
  entrypoints: z.array(
    z.object({
      name: z.string(),
      type: z.enum(['service', 'job']),
      wanted: z.number().int(),
      /** `nodes`: one (or so many) runs on every node that matches. */
      setBy: z.enum(['spec', 'scale', 'nodes']),
      running: z.number().int(),
      ready: z.number().int(),
      /** That it keeps, whether or not an instance has them now. */
      addresses: z
        .array(z.object({ slot: z.number().int(), address: z.string(), instance: z.string().optional() }))
        .optional(),
      cpuMilli: z.number().int().optional(),
      memoryBytes: z.number().int().optional(),
      /** Limits of its instances' network. */
      inBitsPerSecond: z.number().int().optional(),
      outBitsPerSecond: z.number().int().optional(),
      /** What its berth.yaml says, where `resize` has set something. */
      written: sizesView.optional(),
      /** What was asked for with `resize`, and waits for approval. */
      awaited: sizesView.optional(),
    }),
  ),
  urls: z.array(z.string()),
  /** It is being drained and removed. */
  removing: z.boolean().optional(),
})

export const appView = z.object({
  name: z.string(),
  repository: z.string().optional(),
  vcs: z.enum(['git', 'svn']),
  createdAt: time,
  createdBy: z.string(),
  latestRelease: z.string().optional(),
  pools: z.array(poolView),
  /** It is being taken apart: its pools first, then releases, builds and secrets. */
  removing: z.boolean().optional(),
})

export const releaseView = z.object({
  app: z.string(),
  id: z.string(),
  commit: z.string().optional(),
  subject: z.string().optional(),
  image: z.string(),
  build: z.string().optional(),
  createdAt: time,
  createdBy: z.string(),
  /** Pools that run it now. */
  runningIn: z.array(z.string()),
  /** The canonical spec (`AppSpec` of @berth/core). */
  spec: z.unknown(),
})

export type PoolView = z.infer<typeof poolView>
export type AppView = z.infer<typeof appView>
export type ReleaseView = z.infer<typeof releaseView>
