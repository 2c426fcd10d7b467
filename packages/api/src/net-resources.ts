import { z } from 'zod'

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
