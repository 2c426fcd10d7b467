import { z } from 'zod'

const count = z.number().int()

/** A node that has a network of the machines' own, or is to have it. */
export const lanNodeView = z.object({
  name: z.string(),
  /** What its containers get addresses of. Absent: there was none left. */
  slice: z.string().optional(),
  state: z.enum(['ready', 'waiting', 'problem']),
  /** What it waits for, or what is wrong, in a sentence. */
  message: z.string().optional(),
})
export type LanNodeView = z.infer<typeof lanNodeView>

/** A network that machines are on already, and that instances may be in as well. */
export const lanView = z.object({
  name: z.string(),
  /** `macvlan` or `flat`. */
  mode: z.string(),
  /** Interface of the nodes, `eth1`. */
  parent: z.string(),
  /** On that interface. Absent: untagged. */
  vlan: count.optional(),
  subnet: z.string(),
  gateway: z.string().optional(),
  /** The part of the subnet that slices are cut from. */
  range: z.string(),
  /** Prefix length of the slices: 28. */
  sliceSize: count,
  /** Only nodes that bear it. */
  label: z.object({ name: z.string(), value: z.string() }).optional(),
  /** Only nodes of these groups; none: of all. */
  groups: z.array(z.string()),
  slices: z.object({ total: count, used: count }),
  nodes: z.array(lanNodeView),
  /** So many are in it, or are to be. */
  instances: count,
  createdAt: count,
  createdBy: z.string(),
})
export type LanView = z.infer<typeof lanView>
