import { z } from 'zod'

const time = z.number()
const asNumber = z.number().int()
const routesMode = z.enum(['static', 'bgp', 'cloud'])
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

const cloudRoute = z.object({ node: z.string(), destination: z.string(), nextHop: z.string() })

/** A route table of a provider and what was found in it; its token is never shown. */
export const cloudTableView = z.object({
  name: z.string(),
  url: z.string(),
  /** Only nodes of it; absent: all. */
  site: z.string().optional(),
  hasToken: z.boolean(),
  inForce: z.array(cloudRoute),
  /** Asked for, and not to be seen yet. */
  pending: z.array(cloudRoute),
  failed: z.array(cloudRoute.extend({ why: z.string() })),
  problem: z.string().optional(),
})

/** How nodes learn the routes to each other's blocks, and what follows from that. */
export const routingView = z.object({
  mode: routesMode,
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
  /** Route tables of providers. */
  tables: z.array(cloudTableView),
  /** Where short names of instances are looked for behind their own apps. */
  searchDomains: z.array(z.string()),
  /** Below it nodes answer Consul's names. Absent: nowhere. */
  consulDomain: z.string().optional(),
  /** Without an IPv4 address: nothing can be routed to them. */
  without: z.array(z.string()),
  updatedAt: time.optional(),
  updatedBy: z.string().optional(),
})

const nodeSessions = {
  node: z.string(),
  mode: routesMode,
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
} as const

/** Sessions of BGP as all nodes tell them; one between two nodes is told by both. */
export const routingSessionsView = z.object({
  nodes: z.array(z.object(nodeSessions)),
  /** Nodes that did not answer, and why. */
  silent: z.array(z.object({ node: z.string(), message: z.string() })),
})

/** How one node gets to others' blocks now. */
export const nodeRoutesView = z.object({
  ...nodeSessions,
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
export type CloudTableView = z.infer<typeof cloudTableView>
export type RoutingPeerView = z.infer<typeof routingPeerView>
export type RoutingSessionsView = z.infer<typeof routingSessionsView>
export type NodeRoutesView = z.infer<typeof nodeRoutesView>
