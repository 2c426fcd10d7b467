import { z } from 'zod'

const time = z.number()
const asNumber = z.number().int()
const label = z.object({ name: z.string(), value: z.string() })

/** A speaker of BGP that is none of the nodes; its password is never shown. */
export const routingPeerView = z.object({
  name: z.string(),
  address: z.string(),
  as: asNumber,
  /** Nodes that bear it speak with this one; absent: all nodes. */
  label: label.optional(),
  hasPassword: z.boolean(),
})

/** How nodes learn the routes to each other's blocks, and what follows from that. */
export const routingView = z.object({
  mode: z.enum(['static', 'bgp']),
  as: asNumber,
  sites: z.record(z.string(), asNumber),
  meshUpTo: z.number().int(),
  /** For each site. */
  reflectors: z.number().int(),
  peers: z.array(routingPeerView),
  /** Everybody speaks with everybody, or would. */
  mesh: z.boolean(),
  /** Nodes that pass on what they learn, by site; the site of nodes without that label is ''. */
  reflectorsOf: z.record(z.string(), z.array(z.string())),
  /** Without an IPv4 address: nothing can be routed to them. */
  without: z.array(z.string()),
  updatedAt: time.optional(),
  updatedBy: z.string().optional(),
})

/** How one node gets to others' blocks now. */
export const nodeRoutesView = z.object({
  node: z.string(),
  mode: z.enum(['static', 'bgp']),
  /** BIRD does. */
  running: z.boolean(),
  sessions: z.array(
    z.object({
      with: z.enum(['node', 'peer']),
      name: z.string(),
      address: z.string(),
      as: asNumber,
      up: z.boolean(),
      since: time,
      why: z.string().optional(),
      /** Blocks whose route in force was learned from it. */
      learned: z.number().int(),
    }),
  ),
  routes: z.array(
    z.object({
      block: z.string(),
      /** The node that has it; absent: none, or a part of a block. */
      owner: z.string().optional(),
      kind: z.enum(['bgp', 'static']),
      from: z.string().optional(),
      reachable: z.boolean(),
      via: z.string().optional(),
      device: z.string().optional(),
    }),
  ),
})

export type RoutingView = z.infer<typeof routingView>
export type RoutingPeerView = z.infer<typeof routingPeerView>
export type NodeRoutesView = z.infer<typeof nodeRoutesView>
