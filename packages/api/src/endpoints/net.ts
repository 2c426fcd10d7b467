import { defineEndpoint } from '../endpoint.ts'
import * as n from '../net-resources.ts'
import { nameParams, none } from './shared.ts'

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
} as const
