import { z } from 'zod'

/** Resources about CPU and memory of what runs; see `resources.ts`. */
const milli = z.number().int()
const bytes = z.number().int()

/** What is asked for; what is absent is not asked for. */
export const sizesView = z.object({ cpuMilli: milli.optional(), memoryBytes: bytes.optional() })

/** What an instance has on its node, in the node's own cores. */
export const grantView = z.object({
  cpuMilli: milli.optional(),
  memoryBytes: bytes.optional(),
  cores: z.string().optional(),
})

export const instanceResize = z.object({
  instance: z.string(),
  name: z.string(),
  node: z.string().optional(),
  /**
   * `in-place`: it runs on. `replace`: its node has too little, so another takes its place within the bounds of a rollout. `nowhere`: no
   * other node has room either. `stays`: as it is, `reason` says why.
   */
  how: z.enum(['in-place', 'replace', 'nowhere', 'stays', 'unchanged']),
  before: grantView,
  /** In place: what it gets. */
  after: grantView.optional(),
  /** The node of its successor, as things are. */
  to: z.string().optional(),
  reason: z.string().optional(),
})

export const resizeView = z.object({
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  /** What its instances ask for now, and then. */
  before: sizesView,
  after: sizesView,
  /** What its berth.yaml says. */
  written: sizesView,
  changes: z.boolean(),
  instances: z.array(instanceResize),
  /** What is in the way: with one of these nothing is done. */
  problems: z.array(z.string()),
  /** It is done once a person has said yes to the memory; a sentence that says how. */
  awaits: z.string().optional(),
})

export type SizesView = z.infer<typeof sizesView>
export type InstanceResizeView = z.infer<typeof instanceResize>
export type ResizeView = z.infer<typeof resizeView>
