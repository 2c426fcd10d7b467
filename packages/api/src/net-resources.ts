import { z } from 'zod'
import { endDecision } from './policy-resources.ts'

const count = z.number().int()
const time = z.number()

/** Nodes that could not be asked, and why: what they know is missing in the answer. */
const silent = z.array(z.object({ node: z.string(), message: z.string() }))

/** How many packets the rules of a profile have decided: the first of each connection. */
export const ruleCountersView = z.object({
  profile: z.string(),
  rules: z.array(
    z.object({
      end: z.enum(['in', 'out']),
      /** In its list, from 1. Absent: what no rule of these profiles matched, and so was dropped. */
      number: count.optional(),
      /** In words. */
      rule: z.string().optional(),
      /** Of instances that have these profiles, in this order. */
      profiles: z.array(z.string()).optional(),
      packets: count,
      bytes: count,
      nodes: z.array(z.object({ node: z.string(), packets: count, bytes: count })),
    }),
  ),
  /** Those asked that have it in force, and since when they count. */
  nodes: z.array(z.object({ node: z.string(), since: time })),
  silent,
})
export type RuleCountersView = z.infer<typeof ruleCountersView>

/** One end of a packet, by name. */
export const netEnd = z.object({
  kind: z.enum(['instance', 'node', 'external', 'outside']),
  /** The instance's, the node's or the external service's; of what is outside its address. */
  name: z.string(),
  address: z.string(),
  node: z.string().optional(),
  /** Of an instance: `shop/production/web`. */
  entrypoint: z.string().optional(),
})
export type NetEnd = z.infer<typeof netEnd>

const ends = { from: netEnd, to: netEnd, protocol: z.string(), port: count.optional() }

/** A connection that the kernels of nodes track. */
export const flowView = z.object({
  ...ends,
  sourcePort: count.optional(),
  /** Of TCP: `ESTABLISHED`. */
  state: z.string().optional(),
  /** There was a packet back. */
  answered: z.boolean(),
  /** Where it was sent to, when that was translated: a published port. */
  sentTo: z.string().optional(),
  /** Both ways, where kernels count them. */
  packets: count.optional(),
  bytes: count.optional(),
  /** What the rules of now say about its first packet. One that stands goes on whatever they say. */
  allowed: z.boolean(),
  outbound: endDecision,
  inbound: endDecision,
})
export type FlowView = z.infer<typeof flowView>

export const liveFlows = z.object({
  flows: z.array(flowView),
  /** So many more are not told. */
  more: count,
  /** So many that are over, of nodes to instances of their own, are left out: probes of health. */
  probes: count,
  silent,
})
export type LiveFlows = z.infer<typeof liveFlows>

const groupEnd = z.object({
  kind: z.enum(['instance', 'node', 'external', 'outside']),
  /** An entrypoint (`shop/production/web`), a node, an external service; of what is outside empty. */
  name: z.string(),
})
export type FlowGroupEnd = z.infer<typeof groupEnd>

/** Connections between the same two, to the same port, about which the rules say the same. */
export const flowGroupView = z.object({
  from: groupEnd,
  to: groupEnd,
  protocol: z.string(),
  port: count.optional(),
  flows: count,
  /** Both ways; 0 where kernels do not count them. */
  bytes: count,
  /** What the rules of now say. */
  allowed: z.boolean(),
  /** Who drops them, in a sentence; empty where nobody does. */
  message: z.string(),
})
export type FlowGroupView = z.infer<typeof flowGroupView>

export const flowGroups = z.object({
  /** The largest first. */
  groups: z.array(flowGroupView),
  /** In all of them together. */
  flows: count,
  /** So many more are not told. */
  more: count,
  probes: count,
  silent,
})
export type FlowGroups = z.infer<typeof flowGroups>

const matrixParty = z.object({
  /** `shop/production/web`, `shop/production`, an external service; of what is outside empty. */
  name: z.string(),
  kind: z.enum(['instances', 'external', 'outside']),
  /** Of its instances those in force, in order; several lists where they differ. */
  profiles: z.array(z.array(z.string())),
  addresses: count,
})
export type MatrixPartyView = z.infer<typeof matrixParty>

const matrixCell = z.object({
  /** Everything passes, some of it, nothing; `unasked`: no instance is on either end, so no rule is asked. */
  verdict: z.enum(['all', 'some', 'none', 'unasked']),
  /** What passes, where it is some: `tcp:3306`. */
  allows: z.array(z.string()),
  /** Not the same for all addresses of both. */
  isMixed: z.boolean(),
})
export type MatrixCellView = z.infer<typeof matrixCell>

const side = z.object({
  parties: z.array(matrixParty),
  /** All that fit the filter; those told begin with this one. */
  total: count,
  offset: count,
})

/** Who may talk to whom by the rules of now; a part of it, since it grows with the square. */
export const netMatrix = z.object({
  from: side,
  to: side,
  /** A row for each of `from`, in it a cell for each of `to`. */
  cells: z.array(z.array(matrixCell)),
  /** Somebody in the cluster has addresses of IPv6, of which there is a matrix too. Absent: from a server that knows of IPv4 alone. */
  hasIpv6: z.boolean().optional(),
})
export type NetMatrix = z.infer<typeof netMatrix>

/** Packets of the same two ends, protocol and port that the rules of one node have dropped of late. */
export const dropView = z.object({
  ...ends,
  packets: count,
  bytes: count,
  /** The last one. */
  at: time,
  /** That dropped it. */
  node: z.string(),
  /** On which end. Absent: by a rule that is no more. */
  end: z.enum(['in', 'out']).optional(),
  /** The rule; absent: none of the instance's profiles allows it. */
  profile: z.string().optional(),
  number: count.optional(),
  rule: z.string().optional(),
  /** One sentence. */
  message: z.string(),
})
export type DropView = z.infer<typeof dropView>

export const recentDrops = z.object({
  /** The latest first. */
  drops: z.array(dropView),
  /** Nodes that may have dropped more than they could note. */
  full: z.array(z.string()),
  silent,
})
export type RecentDrops = z.infer<typeof recentDrops>

const changedFlowGroup = z.object({
  /** An entrypoint, a node or an address. */
  from: z.string(),
  to: z.string(),
  protocol: z.string(),
  port: count.optional(),
  flows: count,
  /** Who decides then. */
  message: z.string(),
  examples: z.array(z.object({ from: netEnd, to: netEnd })),
})
export type ChangedFlowGroup = z.infer<typeof changedFlowGroup>

/** For which flows that there are other profiles would make a difference. Those that stand go on; made anew they obey the new rules. */
export const profilePlan = z.object({
  /** The profiles in question. */
  profiles: z.array(z.string()),
  /** So many were looked at. */
  flows: count,
  cutFlows: count,
  /** Allowed now, and dropped then. */
  cut: z.array(changedFlowGroup),
  openedFlows: count,
  /** The other way round. */
  opened: z.array(changedFlowGroup),
  /** So many flows could not be looked at. */
  more: count,
  silent,
})
export type ProfilePlan = z.infer<typeof profilePlan>
