import { z } from 'zod'

const count = z.number().int()

/** Addresses that nodes get blocks of. */
export const addressPoolView = z.object({
  name: z.string(),
  range: z.string(),
  /** Prefix length of the blocks: 24. */
  blockSize: count,
  /** Only for nodes whose label `site` is one of these; none: whatever it is. */
  sites: z.array(z.string()),
  /** Only for nodes of these groups; none: of all. */
  groups: z.array(z.string()),
  /** What its instances send to outside of all pools bears their node's address. */
  natOutgoing: z.boolean(),
  /** It gives out nothing; what has a block of it keeps it. */
  disabled: z.boolean(),
  blocks: z.object({ total: count, used: count }),
  /** Of instances. */
  addresses: z.object({ used: count }),
  nodes: z.array(z.object({ name: z.string(), block: z.string(), addresses: count })),
})

/** An address that was given out. */
export const addressView = z.object({
  address: z.string(),
  pool: z.string().optional(),
  node: z.string(),
  block: z.string(),
  instance: z.string(),
  /** Since when. */
  since: count,
  /** Its instance's: `running`, `ended` (its address is kept until its record is gone), absent before the agent has said. */
  phase: z.string().optional(),
})

/** What of an address is not as it should be. */
export const addressFinding = z.object({
  kind: z.enum(['twice', 'leaked', 'other-address', 'missing', 'outside']),
  address: z.string(),
  node: z.string(),
  instance: z.string().optional(),
  message: z.string(),
})

export const addressCheck = z.object({
  /** Claims that were compared. */
  claims: count,
  containers: count,
  findings: z.array(addressFinding),
  /** Of nodes: what crashes had left behind and the collector has taken away since its start. */
  collected: z.array(z.object({ node: z.string(), address: z.string(), at: count })),
  /** Nodes that did not answer, and why: nothing is said of theirs. */
  silent: z.array(z.object({ node: z.string(), message: z.string() })),
})

export type AddressPoolView = z.infer<typeof addressPoolView>
export type AddressView = z.infer<typeof addressView>
export type AddressFinding = z.infer<typeof addressFinding>
export type AddressCheck = z.infer<typeof addressCheck>
