import { z } from 'zod'

const count = z.number().int()

/** A gateway that may have a failover address. */
export const failoverNodeView = z.object({
  name: z.string(),
  /** `holds`: it has it. `waits`: another has, or it is not well. `problem`: it could not have it. `away`: its agent is not heard of. */
  state: z.enum(['holds', 'waits', 'problem', 'away']),
  /** Of `holds`. */
  since: count.optional(),
  message: z.string().optional(),
  /** It is the one to have it while it is well. */
  preferred: z.boolean(),
})
export type FailoverNodeView = z.infer<typeof failoverNodeView>

/** An address of the gateways' own that stays reachable when one of them dies. */
export const failoverAddressView = z.object({
  address: z.string(),
  /** Of the gateways that may have it. Absent: all. */
  site: z.string().optional(),
  /** How, now: one holds it (`vrrp`), or all that are well announce it (`bgp`). */
  by: z.enum(['vrrp', 'bgp']),
  /** Somebody has chosen how; else it follows the cluster's routes. */
  chosen: z.boolean(),
  nodes: z.array(failoverNodeView),
  problems: z.array(z.string()),
  createdAt: count,
  createdBy: z.string(),
})
export type FailoverAddressView = z.infer<typeof failoverAddressView>
