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

export type AddressPoolView = z.infer<typeof addressPoolView>
