import { z } from 'zod'
import { replicas } from './endpoints/shared.ts'

/** Resources about what would happen; see `index.ts`. */
const count = z.number().int().nonnegative()
const milli = z.number().int()

/** Nodes that are imagined: `5×c16m64` is `{count: 5, cpuMilli: 16000, memoryBytes: 64 GiB}`. */
export const imaginedNodes = z.strictObject({
  count: z.number().int().min(1).max(10_000),
  cpuMilli: z.number().int().positive(),
  memoryBytes: z.number().int().positive(),
  group: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
})

/** Reckoned with in a second. */
const maxImagined = 20_000

/** A cluster that is not: without some of its nodes, with others besides. */
export const hypothesis = {
  without: z.array(z.string()).optional(),
  with: z
    .array(imaginedNodes)
    .max(100)
    .refine(
      (list) => list.reduce((sum, each) => sum + each.count, 0) <= maxImagined,
      `at most ${maxImagined} nodes can be imagined`,
    )
    .optional(),
}

/** Enough to do exactly what was planned, or to see that the world has moved. */
export const savedPlan = z.strictObject({
  app: z.string(),
  pool: z.string(),
  release: z.string(),
  /** Of the pool when it was planned. */
  generation: z.number().int(),
  replicas,
  /** Node of each instance, by entrypoint. */
  slots: z.record(z.string(), z.array(z.string()).max(10_000)),
  /** Of every node that is used: what it was, and what was given out there. */
  digests: z.record(z.string(), z.string()),
  /** Within what a date can be. */
  plannedAt: z.number().int().min(0).max(8_640_000_000_000_000),
})

export const placementView = z.object({
  entrypoint: z.string(),
  /** New instances by node. */
  nodes: z.array(z.object({ node: z.string(), count })),
  /** Those that find no place. */
  missing: count,
  /** Instances that would have to leave for them. */
  displaces: z.array(z.object({ instance: z.string(), node: z.string() })).optional(),
})

const rehearsedInstances = z.object({
  entrypoint: z.string(),
  node: z.string(),
  /** Of the release that comes; else of the one that is left. */
  isNew: z.boolean(),
  count,
})

/** A rollout gone through on a copy of the cluster, decided as it would be itself. */
export const rehearsalView = z.object({
  /** One about everything where it has none. */
  stages: z.array(
    z.object({
      name: z.string(),
      created: z.array(rehearsedInstances),
      /** Those that leave, by the node that they leave. */
      left: z.array(rehearsedInstances),
      /** How many of each service serve at the least and at the most while it lasts. */
      serving: z.record(z.string(), z.object({ lowest: count, highest: count })),
      /** The most that is given out at a time on each node that gets an instance or loses one, of all that can be. */
      peaks: z.array(
        z.object({ node: z.string(), cpuMilli: milli, memoryBytes: milli, ofCpuMilli: milli, ofMemoryBytes: milli }),
      ),
    }),
  ),
  /** `done`: it succeeds. `stuck`: something finds no place. `long`, `unknown`: it was not gone through to its end, or not at all. */
  end: z.enum(['done', 'stuck', 'long', 'unknown']),
  unplaced: z.array(z.object({ entrypoint: z.string(), count, why: z.string() })),
  /** What it cannot know, beside what nobody can: what others want meanwhile, and what is ready first. */
  unknown: z.array(z.enum(['gang', 'preempt', 'balance', 'not-serving', 'silent', 'mixed'])),
  /** Addresses that entrypoints keep. */
  kept: z.array(
    z.object({
      entrypoint: z.string(),
      slot: count,
      address: z.string(),
      /** Where it would be; absent: nothing new has it. */
      node: z.string().optional(),
      /** Whose block it is of; absent: that node is gone. */
      home: z.string().optional(),
      /** Why no other node can have it; absent: others can. */
      onlyThere: z.string().optional(),
    }),
  ),
})

/** One change that a plan would make; see `Plan` of @berth/core. */
export const planView = z.object({
  app: z.string(),
  pool: z.string(),
  from: z.string().optional(),
  to: z.string().optional(),
  changes: z.boolean(),
  entrypoints: z.array(
    z.object({
      name: z.string(),
      action: z.enum(['create', 'update', 'destroy', 'unchanged']),
      create: z.number().int(),
      replace: z.number().int(),
      destroy: z.number().int(),
      unchanged: z.number().int(),
      /** Instances that serve now, the fewest that do while the change is made, and the most that exist at a time. */
      serving: z.object({ now: z.number().int(), lowest: z.number().int(), highest: z.number().int() }),
    }),
  ),
  /** `~ entrypoints.web.env.COLOR: "blue" → "green"` as data. */
  diff: z.array(
    z.object({
      op: z.enum(['+', '-', '~']),
      path: z.string(),
      before: z.unknown().optional(),
      after: z.unknown().optional(),
    }),
  ),
  problems: z.array(z.string()),
  steps: z.array(z.string()),
  /** Where the new instances would run. */
  placements: z.array(placementView),
  /** What a deploy over what runs would go through, and how many of each service are new at the end of each. Absent: nothing new comes. */
  stages: z
    .array(
      z.object({
        name: z.string(),
        counts: z.record(z.string(), count),
        /** `5%`, `5% to 50% over 10m` */
        traffic: z.string().optional(),
        sites: z.array(z.string()).optional(),
        entrypoints: z.array(z.string()).optional(),
        before: z.array(z.string()),
        gates: z.array(z.string()),
        after: z.array(z.string()),
      }),
    )
    .optional(),
  /** Which node gets and loses what in each stage. Absent: nothing new comes. */
  rehearsal: rehearsalView.optional(),
  /** How many would have to say yes first: the most that its berth.yaml and the rules ask for. */
  approvals: z
    .object({
      needed: count,
      rules: z.array(z.object({ name: z.string(), needed: count, role: z.enum(['deployer', 'admin']) })),
    })
    .optional(),
  /** Those that would refuse it now. */
  freezes: z.array(z.object({ name: z.string(), reason: z.string(), until: z.number().int() })).optional(),
  /** To be handed to `applyPlan`; absent where nothing could be done so: the release is not built yet, or nodes are imagined. */
  saved: savedPlan.optional(),
  /** Why there is nothing to hand over. */
  unsaved: z.string().optional(),
})

export const capacityView = z.object({
  entrypoint: z.string(),
  running: count,
  /** How many more fit; absent: as many as one likes, for it reserves nothing that is counted. */
  more: count.optional(),
  /** Nodes with room for at least one. */
  nodes: count,
  /** What runs out first, on how many nodes. */
  missing: z.array(z.object({ what: z.string(), nodes: count })),
  /** Why a node will not do, counted: `40 nodes: 12 wrong site, …`. Absent when all would. */
  refused: z.string().optional(),
})

export const coreView = z.object({
  core: count,
  numa: count,
  /** False: given out, but the node does not report it (any more). */
  present: z.boolean(),
  state: z.enum(['free', 'whole', 'shared', 'conflict']),
  /** Thousandths: 1000 is the whole core. */
  owners: z.array(z.object({ instance: z.string(), milli })),
  /** Thousandths of the core that were busy over the last interval; absent: not known. */
  busyMilli: milli.optional(),
})

/** Who owns which core of a node. */
export const coreMapView = z.object({
  node: z.string(),
  group: z.string(),
  cpu: z.enum(['bound', 'shared']),
  speedMilli: milli,
  overCommitted: z.boolean(),
  cores: z.array(coreView),
  /** Instances that are tied to no core, and what the kernel kept back from instances for want of quota. */
  unbound: z.array(z.string()),
  throttled: z.array(z.object({ instance: z.string(), milli })),
  /** They want more of a shared core than they get of what was promised at this moment. */
  starving: z.array(z.string()).optional(),
})

export const moveView = z.object({
  instance: z.string(),
  from: z.string(),
  to: z.string(),
  /** How full the fuller of its two nodes is before and after it, in thousandths. */
  beforeMilli: milli,
  afterMilli: milli,
})

/** Of a node group; the last one that there was. */
export const rebalanceView = z.object({
  group: z.string(),
  state: z.enum(['running', 'ended']),
  message: z.string(),
  done: count,
  movesLeft: count,
  disruption: count,
  /** Under way. */
  moves: z.array(z.object({ instance: z.string(), from: z.string(), to: z.string(), since: z.number().int() })),
  startedAt: z.number().int(),
  endedAt: z.number().int().optional(),
  createdBy: z.string(),
})

export type MoveView = z.infer<typeof moveView>
export type RebalanceView = z.infer<typeof rebalanceView>
export type ImaginedNodes = z.infer<typeof imaginedNodes>
export type SavedPlan = z.infer<typeof savedPlan>
export type PlacementView = z.infer<typeof placementView>
export type RehearsalView = z.infer<typeof rehearsalView>
export type PlanView = z.infer<typeof planView>
export type CapacityView = z.infer<typeof capacityView>
export type CoreMapView = z.infer<typeof coreMapView>
