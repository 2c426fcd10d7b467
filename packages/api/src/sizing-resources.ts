import { z } from 'zod'

/** Resources about CPU, memory and bandwidth of what runs; see `index.ts`. */
const milli = z.number().int()
const bytes = z.number().int()

/** What is asked for; what is absent is not asked for. */
export const sizesView = z.object({
  cpuMilli: milli.optional(),
  memoryBytes: bytes.optional(),
  /** Limits of its network. */
  inBitsPerSecond: z.number().int().optional(),
  outBitsPerSecond: z.number().int().optional(),
})

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

const time = z.number().int()
const count = z.number().int().nonnegative()

/** In cores of the reference machine; over all its instances, wherever they ran. */
export const usageView = z.object({
  samples: count,
  firstAt: time,
  lastAt: time,
  cpuP50Milli: milli,
  cpuP95Milli: milli,
  cpuP99Milli: milli,
  cpuMaxMilli: milli,
  memoryMaxBytes: bytes,
  /** Thousandths of the periods in which the present CPU limit was reached. */
  throttledMilli: milli,
  /** With the present sizes. */
  restarts: count,
  outOfMemory: count,
})

export const adviceView = z.object({
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  type: z.enum(['service', 'job']),
  /** As many as there are to be; of jobs none. */
  instances: count,
  asked: sizesView,
  /** Absent: nothing was seen of it. */
  used: usageView.optional(),
  /** `wait`: it was not observed for long enough. `keep`: what it asks for is right. */
  kind: z.enum(['wait', 'keep', 'change']),
  /** How much longer to wait. */
  moreMs: z.number().int().optional(),
  advised: sizesView.optional(),
  /** As good: the sizes that it has, and so many instances. */
  replicasInstead: count.optional(),
  confidence: z.enum(['low', 'medium', 'high']).optional(),
  reasons: z.array(z.string()),
  /** In the cluster; below 0: it would take so much more. */
  frees: z.object({ cpuMilli: milli, memoryBytes: bytes }).optional(),
  /** What does it now. */
  command: z.string().optional(),
  commandInstead: z.string().optional(),
  /** What does it with the next deploy: lines of its entrypoint in berth.yaml. */
  yaml: z.array(z.string()).optional(),
})

export type UsageView = z.infer<typeof usageView>
export type AdviceView = z.infer<typeof adviceView>
export type SizesView = z.infer<typeof sizesView>
export type InstanceResizeView = z.infer<typeof instanceResize>
export type ResizeView = z.infer<typeof resizeView>
