import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as n from '../net-resources.ts'
import { nameParams, none } from './shared.ts'

/** Only with this on one end: an instance, `app`, `app/entrypoint`, `app/pool/entrypoint` or an address. */
const of = z.string().optional()

/** What the network does; nodes are asked each time. */
export const netEndpoints = {
  getProfileCounters: defineEndpoint({
    method: 'GET',
    path: '/v1/profiles/:name/counters',
    summary: 'How many packets each rule of a profile has decided, in all and by node; the nodes are asked',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: n.ruleCountersView,
  }),
  listFlows: defineEndpoint({
    method: 'GET',
    path: '/v1/net/flows',
    summary: 'Connections of instances as kernels track them, and what the rules say about each; the nodes are asked',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({
      of,
      /** 1,000 unless said otherwise. */
      limit: z.coerce.number().int().min(1).max(20_000).optional(),
    }),
    body: none,
    response: n.liveFlows,
  }),
  listDrops: defineEndpoint({
    method: 'GET',
    path: '/v1/net/drops',
    summary: 'Packets that rules have dropped in the last minutes, and which rule did; the nodes are asked',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({ of }),
    body: none,
    response: n.recentDrops,
  }),
  planProfiles: defineEndpoint({
    method: 'POST',
    path: '/v1/net/plan',
    summary: 'Which connections that there are could not be made any more (or only then) with other profiles',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({
      /** Each as in `putProfile`, with its `name` or `id`. */
      profiles: z.array(z.record(z.string(), z.unknown())).max(1_000),
      /** Names of those that would go. */
      remove: z.array(z.string()).max(1_000).optional(),
    }),
    response: n.profilePlan,
  }),
} as const
