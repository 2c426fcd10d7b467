import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as n from '../net-resources.ts'
import { flag, nameParams, none } from './shared.ts'

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
      /** With probes of health that are over. */
      probes: flag,
    }),
    body: none,
    response: n.liveFlows,
  }),
  listFlowGroups: defineEndpoint({
    method: 'GET',
    path: '/v1/net/flow-groups',
    summary: 'Connections by entrypoint on both ends, port and what the rules say, counted; the nodes are asked',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({
      of,
      /** Groups; 1,000 unless said otherwise. */
      limit: z.coerce.number().int().min(1).max(5_000).optional(),
      probes: flag,
    }),
    body: none,
    response: n.flowGroups,
  }),
  getNetMatrix: defineEndpoint({
    method: 'GET',
    path: '/v1/net/matrix',
    summary: 'Who may talk to whom: for each two entrypoints (or pools), external services and what is outside',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({
      by: z.enum(['entrypoint', 'pool']).optional(),
      /** Of which version of IP: rules about networks and ICMP are of one. 4 unless said otherwise. */
      family: z.coerce
        .number()
        .pipe(z.literal([4, 6]))
        .optional(),
      /** Only with this in their names. */
      from: z.string().max(200).optional(),
      to: z.string().max(200).optional(),
      fromOffset: z.coerce.number().int().min(0).optional(),
      toOffset: z.coerce.number().int().min(0).optional(),
      /** So many rows and columns; 40 unless said otherwise. */
      limit: z.coerce.number().int().min(1).max(100).optional(),
    }),
    body: none,
    response: n.netMatrix,
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
