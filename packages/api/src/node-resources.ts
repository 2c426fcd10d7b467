import { networkDrivers } from '@berth/core'
import { z } from 'zod'
import { nodeConfigView } from './node-config-resources.ts'
import { imageLimits, nodeDrain, nodeResources, taint } from './scheduling-resources.ts'

/** Resources of nodes and the images on them; see `index.ts`. */
const time = z.number().int()

/** `why` goes on the sentence that its name begins: `finishes the requests that it has`. `later`: it is not its turn yet. */
export const stayingInstance = z.object({ instance: z.string(), why: z.string(), later: z.boolean() })

export const nodeView = z.object({
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  block: z.string(),
  /** The same of IPv6. Absent: its address pool has none. */
  block6: z.string().optional(),
  /** Those that it has beside that one; `leaving`: nothing is given of it any more, and it is to be given back. Absent: none. */
  furtherBlocks: z.array(z.object({ block: z.string(), since: z.number().int(), leaving: z.boolean() })).optional(),
  address: z.string(),
  schedulable: z.boolean(),
  /** Absent: default. */
  group: z.string().optional(),
  /** Absent: 1000, as fast as the others. */
  speedMilli: z.number().int().optional(),
  taints: z.array(taint).optional(),
  resources: nodeResources.optional(),
  /** Where it differs from its group. */
  images: imageLimits.optional(),
  /** What holds for it, all told. */
  imageRules: imageLimits.optional(),
  drain: nodeDrain.optional(),
  /** Of a drained node that is asked for by its name: who is still there and what each waits for, twenty at most. */
  staying: z.array(stayingInstance).optional(),
  online: z.boolean(),
  gateway: z.boolean(),
  /** How often its nginx has read a changed configuration since it was started: never for a route, a member or a certificate. */
  gatewayReloads: z.number().int().optional(),
  cpuMilli: z.number().int(),
  cpuGivenMilli: z.number().int(),
  memoryBytes: z.number().int(),
  memoryGivenBytes: z.number().int(),
  diskBytes: z.number().int(),
  diskFreeBytes: z.number().int(),
  instances: z.number().int(),
  agentVersion: z.string(),
  engineVersion: z.string(),
  kernel: z.string(),
  os: z.string(),
  cgroup: z.enum(['v1', 'v2']),
  /** How its containers are joined; `wanted` where it is to become another when they are gone. */
  network: z
    .object({
      driver: z.enum(networkDrivers),
      wanted: z.enum(networkDrivers).optional(),
      /** Its instances may have any address of it, of other nodes' blocks too. */
      range: z.string().optional(),
      /** Blocks beside its first that are in force. */
      blocks: z.array(z.string()).readonly().optional(),
    })
    .optional(),
  /** Docker networks that it has beside the cluster's. */
  dockerNetworks: z.array(z.string()).optional(),
  /** Where what instances left in `/persist` is kept after their end, and how long. */
  endedFiles: z.object({ directory: z.string(), keepMs: z.number().int() }).optional(),
  /** The last upgrade of its executable. */
  upgrade: z
    .object({
      state: z.enum(['switching', 'done', 'rolled-back']),
      from: z.string(),
      to: z.string(),
      at: time,
      why: z.string().optional(),
    })
    .optional(),
  /** What it has of the node configuration; absent while there is none. */
  config: nodeConfigView.optional(),
  /** Its sessions of BGP; absent: routes are static. */
  /** Failover addresses that it may have; absent: none. */
  failover: z
    .array(
      z.object({
        address: z.string(),
        state: z.enum(['holds', 'waits', 'problem']),
        since: z.number().int().optional(),
        why: z.string().optional(),
      }),
    )
    .optional(),
  routes: z.object({ mode: z.literal('bgp'), sessions: z.number().int(), up: z.number().int() }).optional(),
  /** By which it reaches everybody else; without a speed where its driver does not say. */
  uplink: z.object({ name: z.string(), bitsPerSecond: z.number().int().optional() }).optional(),
  problems: z.array(z.string()),
  /** Its certificate is renewed by itself in the last third of its life. */
  certificateExpiresAt: time.optional(),
  joinedAt: time,
})

/** An image under one of Berth's names on a node. */
export const imageView = z.object({
  node: z.string(),
  reference: z.string(),
  id: z.string(),
  /** Absent: a level. */
  app: z.string().optional(),
  /** Releases that are made of it: `shop@v7`. */
  releases: z.array(z.string()),
  createdAt: time,
  /** With the layers that it shares with others. */
  sizeBytes: z.number().int(),
  /** `unneeded` ones go by themselves, `new` ones are too young to judge. */
  state: z.enum(['used', 'release', 'level', 'building', 'new', 'unneeded']),
})

export type StayingInstance = z.infer<typeof stayingInstance>
export type NodeView = z.infer<typeof nodeView>
export type ImageView = z.infer<typeof imageView>
