import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as r from '../resources.ts'
import { listQuery, nameParams, none, ok } from './shared.ts'

/** Nodes, and how machines become nodes. */
export const nodesEndpoints = {
  listNodes: defineEndpoint({
    method: 'GET',
    path: '/v1/nodes',
    summary: 'Nodes',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: r.nodeView,
  }),
  getNode: defineEndpoint({
    method: 'GET',
    path: '/v1/nodes/:name',
    summary: 'One node',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: r.nodeView,
  }),
  updateNode: defineEndpoint({
    method: 'PATCH',
    path: '/v1/nodes/:name',
    summary: 'Set labels, taints, further resources (null removes), the group or the speed, or cordon',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject({
      labels: z.record(z.string(), z.string().nullable()).optional(),
      schedulable: z.boolean().optional(),
      group: z.string().optional(),
      /** 1000: as fast as the others. */
      speedMilli: z.number().int().min(10).max(100_000).optional(),
      /** By key; an empty value is none. */
      taints: z.record(z.string(), z.string().nullable()).optional(),
      resources: z
        .record(z.string(), z.union([z.number().int().positive(), z.array(z.string()).min(1)]).nullable())
        .optional(),
    }),
    response: r.nodeView,
  }),
  drainNode: defineEndpoint({
    method: 'POST',
    path: '/v1/nodes/:name/drain',
    summary: 'Replace its instances elsewhere, so many at a time, and place nothing new on it',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject({ limit: z.number().int().positive().default(1) }),
    response: r.nodeView,
  }),
  undrainNode: defineEndpoint({
    method: 'DELETE',
    path: '/v1/nodes/:name/drain',
    summary: 'Take instances again; those that have left stay where they are',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: r.nodeView,
  }),
  removeNode: defineEndpoint({
    method: 'DELETE',
    path: '/v1/nodes/:name',
    summary: 'Forget a node that runs nothing',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: ok,
  }),
  createJoinToken: defineEndpoint({
    method: 'POST',
    path: '/v1/nodes/join-tokens',
    summary: 'A one-time token for `berth node join`',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ ttlMs: z.number().int().positive().default(3_600_000) }),
    response: z.object({ token: z.string(), expiresAt: z.number().int(), command: z.string() }),
  }),
  joinNode: defineEndpoint({
    method: 'POST',
    path: '/v1/nodes/join',
    summary: 'Enrol a node: a one-time token for a certificate',
    role: 'none',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({
      token: z.string(),
      name: z.string(),
      address: z.string(),
      labels: z.record(z.string(), z.string()).default({}),
      certificateRequestPem: z.string(),
    }),
    response: z.object({
      node: z.string(),
      certificatePem: z.string(),
      authorityPem: z.string(),
      agentPort: z.number().int(),
    }),
  }),
} as const
