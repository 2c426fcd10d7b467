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

/** What became of the jobs of `test:`. */
export const releaseTestsView = z.object({
  state: z.enum(['running', 'passed', 'failed']),
  /** Of the same image and spec, for which they were run. */
  of: z.string().optional(),
  runs: z.array(
    z.object({
      entrypoint: z.string(),
      instance: z.string(),
      state: z.enum(['running', 'passed', 'failed']),
      message: z.string().optional(),
      /** The last lines that it printed. */
      logTail: z.array(z.string()),
      startedAt: time,
      endedAt: time.optional(),
    }),
  ),
  startedAt: time,
  endedAt: time.optional(),
})

const commitView = z.object({ commit: z.string(), subject: z.string(), author: z.string(), at: time })

/** What a release would change where another runs. */
export const releaseDiffView = z.object({
  app: z.string(),
  pool: z.string(),
  /** What runs there; absent: nothing yet. */
  from: z.string().optional(),
  to: z.string(),
  sameImage: z.boolean(),
  /** Commits that come, newest first, and such that go, as with a way back. */
  added: z.array(commitView),
  removed: z.array(commitView),
  /** There are more than are shown. */
  more: z.boolean(),
  /** Why commits are not told. */
  problem: z.string().optional(),
  /** In the words of berth.yaml, as the pool's environment has it. */
  changes: z.array(
    z.object({
      op: z.enum(['+', '-', '~']),
      path: z.string(),
      before: z.unknown().optional(),
      after: z.unknown().optional(),
    }),
  ),
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
  /** Where it has ever been rolled out successfully, and when last. */
  served: z.array(z.object({ pool: z.string(), at: time })),
  /** Of the commit: `Ada <ada@example.com>`. */
  author: z.string().optional(),
  committedAt: time.optional(),
  /** Absent: it has none. */
  tests: releaseTestsView.optional(),
  /** The canonical spec (`AppSpec` of @berth/core). */
  spec: z.unknown(),
})

export type PoolView = z.infer<typeof poolView>
export type AppView = z.infer<typeof appView>
export type ReleaseDiffView = z.infer<typeof releaseDiffView>
export type ReleaseView = z.infer<typeof releaseView>
