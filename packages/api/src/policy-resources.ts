import { z } from 'zod'

/** Resources of the security policy; see `index.ts`. */
const problem = z.object({ path: z.string(), message: z.string(), suggestion: z.string().optional() })

const ports = z.array(z.union([z.number().int(), z.string()]))

/** A rule with Calico's fields. */
export const policyRule = z.object({
  action: z.enum(['allow', 'deny']),
  protocol: z.string().optional(),
  src_tag: z.string().optional(),
  src_net: z.string().optional(),
  src_ports: ports.optional(),
  dst_tag: z.string().optional(),
  dst_net: z.string().optional(),
  dst_ports: ports.optional(),
  icmp_type: z.number().int().optional(),
  icmp_code: z.number().int().optional(),
})

export const profileView = z.object({
  name: z.string(),
  tags: z.array(z.string()),
  /** Each rule in words, in order: `tcp:3306 from db-users`. */
  inbound: z.array(z.string()),
  outbound: z.array(z.string()),
  /** The same in Calico's form. */
  document: z.object({
    id: z.string(),
    tags: z.array(z.string()),
    inbound_rules: z.array(policyRule),
    outbound_rules: z.array(policyRule),
  }),
  version: z.number().int(),
  /** Instances that have it. */
  instances: z.number().int(),
  /** What is allowed and most likely not meant. */
  warnings: z.array(problem),
  updatedAt: z.number().int(),
  updatedBy: z.string(),
})
export type ProfileView = z.infer<typeof profileView>

export const profileUsersView = z.object({
  /** `shop/production/db`, each that names it. */
  entrypoints: z.array(z.string()),
  /** Instances that have it; of `default` those that name none. */
  instances: z.number().int(),
})
export type ProfileUsersView = z.infer<typeof profileUsersView>

/** A profile as it was read, or what is wrong with it. */
export const validatedProfileView = z.object({
  name: z.string().optional(),
  inbound: z.array(z.string()).optional(),
  outbound: z.array(z.string()).optional(),
  /** As `putProfile` takes it. */
  document: z.record(z.string(), z.unknown()).optional(),
  /** Each with its place, from 1, where it has one. */
  problems: z.array(
    z.object({
      path: z.string(),
      message: z.string(),
      suggestion: z.string().optional(),
      line: z.number().int().optional(),
    }),
  ),
})
export type ValidatedProfileView = z.infer<typeof validatedProfileView>

const end = z.object({
  /** As it was asked for, or the instance that was taken of several. */
  name: z.string(),
  address: z.string(),
  node: z.string().optional(),
  /** In force, in order. */
  profiles: z.array(z.string()),
})

export const endDecision = z.object({
  allowed: z.boolean(),
  reason: z.enum([
    ...([
      'rule',
      'no-rule',
      'no-profile',
      'no-instance',
      'established',
      'own-node',
      'gateway',
      'resolver',
      'neighbour',
      'closed',
    ] as const),
  ]),
  /** One sentence. */
  message: z.string(),
  profile: z.string().optional(),
  /** Of the rule in its list, from 1. */
  number: z.number().int().optional(),
  rule: z.string().optional(),
})

/** What becomes of the first packet of a connection, and which rule decides it on both ends. */
export const packetExplanation = z.object({
  allowed: z.boolean(),
  from: end,
  to: end,
  protocol: z.string(),
  port: z.number().int().optional(),
  outbound: endDecision,
  inbound: endDecision,
})
export type PacketExplanation = z.infer<typeof packetExplanation>
