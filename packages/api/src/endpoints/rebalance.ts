import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as p from '../planning-resources.ts'
import { nameParams, none } from './shared.ts'

const moves = z.number().int().min(1).max(10_000).default(1000)

/** Moving instances of a node group to where there is more room. */
export const rebalanceEndpoints = {
  planRebalance: defineEndpoint({
    method: 'POST',
    path: '/v1/groups/:name/rebalance/plan',
    summary: 'Which instances would move to make the nodes of a group more evenly full, with nothing done',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject({ moves }),
    response: z.object({ group: z.string(), moves: z.array(p.moveView) }),
  }),
  startRebalance: defineEndpoint({
    method: 'POST',
    path: '/v1/groups/:name/rebalance',
    summary: 'Move instances of a group to where there is more room, some at a time, as long as it pays',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject({ moves, disruption: z.number().int().min(1).max(100).default(1) }),
    response: p.rebalanceView,
  }),
  stopRebalance: defineEndpoint({
    method: 'DELETE',
    path: '/v1/groups/:name/rebalance',
    summary: 'Move nothing else; what has begun to leave goes on leaving',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: p.rebalanceView,
  }),
  getRebalance: defineEndpoint({
    method: 'GET',
    path: '/v1/groups/:name/rebalance',
    summary: 'How far the rebalancing of a group has come, or how the last one ended',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: p.rebalanceView,
  }),
}
