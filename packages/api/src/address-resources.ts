import { z } from 'zod'

const count = z.number().int()

/** Addresses that nodes get blocks of. */
export const addressPoolView = z.object({
  name: z.string(),
  range: z.string(),
  /** `fd77:1::/64`: behind it each address is one of IPv6 too. Absent: its instances have none. */
  ipv6: z.string().optional(),
  /** Instances that were made before then have none: the pool got its prefix while they ran. */
  ipv6Since: count.optional(),
  /** Prefix length of the blocks: 24. */
  blockSize: count,
  /** How many blocks a node may have. */
  blocksPerNode: count,
  /** How long a node's further block is empty before it is given back. */
  returnAfterMs: count,
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
  nodes: z.array(
    z.object({
      ...{ name: z.string(), block: z.string(), furtherBlocks: z.array(z.string()), addresses: count },
      /** How many of its instances' addresses are borrowed of others' blocks, and how many of its blocks others have. Absent: none. */
      borrowed: count.optional(),
      lent: count.optional(),
    }),
  ),
})

export type AddressPoolView = z.infer<typeof addressPoolView>

const owner = {
  /** The instance that has it. */
  instance: z.string().optional(),
  app: z.string().optional(),
  /** The container that has it, where somebody started it by hand. */
  container: z.string().optional(),
  /** That this container names. Absent: none. */
  profiles: z.array(z.string()).optional(),
}

/**
 * An address that is not free. `gateway`: the node's own, by which its containers reach everything. `by-hand`: of a container that no server
 * knows of. `kept`: for such containers, the first one of as many as `last` says.
 */
export const addressView = z.object({
  address: z.string(),
  /** Its twin of IPv6. Absent: the pool has none. */
  address6: z.string().optional(),
  last: z.string().optional(),
  node: z.string(),
  /** Absent: it is in none of its node's blocks. */
  block: z.string().optional(),
  /** The node whose block it is of, where that is another: it is borrowed, or kept by its entrypoint. */
  lender: z.string().optional(),
  pool: z.string().optional(),
  kind: z.enum(['instance', 'by-hand', 'gateway', 'kept']),
  ...owner,
  /** `pending`, `assigned`, `running`, `stopping`, `ended`; absent: it has none. */
  state: z.string().optional(),
  since: count.optional(),
})

export const silentNode = z.object({ node: z.string(), message: z.string() })

export const addressListing = z.object({
  items: z.array(addressView),
  /** Nodes that could not be asked what was started there by hand. */
  silent: z.array(silentNode),
  /** There is more, of the nodes after this one. */
  after: z.string().optional(),
})

/** Whatever is known of one address, asked for by itself or by its twin of IPv6. */
export const oneAddress = z.object({
  address: z.string(),
  address6: z.string().optional(),
  kind: z.enum(['instance', 'by-hand', 'gateway', 'reserved', 'free', 'unassigned', 'node', 'external', 'outside']),
  /** In a sentence. */
  message: z.string(),
  node: z.string().optional(),
  block: z.string().optional(),
  pool: z.string().optional(),
  /** The node of whose block it is, and the one whose instance has it, where these are two. */
  lender: z.string().optional(),
  borrower: z.string().optional(),
  ...owner,
  state: z.string().optional(),
  since: count.optional(),
  names: z.array(z.string()),
  /** Whose it was last, while a server remembers that. */
  last: z.object({ instance: z.string(), node: z.string(), until: count }).optional(),
})

export const addressFinding = z.object({
  kind: z.string(),
  message: z.string(),
  address: z.string().optional(),
  node: z.string().optional(),
  instance: z.string().optional(),
  /** Nobody has it: it is held for a container that there is not. */
  leak: z.boolean(),
  /** It was taken away just now. */
  released: z.boolean(),
})

export const addressCheck = z.object({
  findings: z.array(addressFinding),
  compared: z.object({ nodes: count, instances: count, containers: count }),
  silent: z.array(silentNode),
})

export type AddressView = z.infer<typeof addressView>
export type AddressListing = z.infer<typeof addressListing>
export type OneAddress = z.infer<typeof oneAddress>
export type AddressFindingView = z.infer<typeof addressFinding>
export type AddressCheck = z.infer<typeof addressCheck>
