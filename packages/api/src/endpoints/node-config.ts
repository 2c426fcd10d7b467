import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as c from '../node-config-resources.ts'
import { listQuery, none } from './shared.ts'

/** Either the document itself with the files that it takes content from, or where the server finds it. */
const source = {
  text: z.string().max(300_000).optional(),
  files: z.record(z.string(), z.string()).optional(),
  repository: z.string().optional(),
  ref: z.string().optional(),
  path: z.string().optional(),
}

/** What machines must have besides an agent. */
export const nodeConfigEndpoints = {
  planNodeConfig: defineEndpoint({
    method: 'POST',
    path: '/v1/node-config/plan',
    summary: 'What a node configuration would change on each node, as it is there now, with nothing done',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject(source),
    response: c.configPlan,
  }),
  applyNodeConfig: defineEndpoint({
    method: 'POST',
    path: '/v1/node-config/apply',
    summary: 'Make a version of a node configuration, and bring it to the nodes batch by batch',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    /** `force`: also over a rollout under way. */
    body: z.strictObject({ ...source, force: z.boolean().default(false) }),
    response: c.configVersionView,
  }),
  rollbackNodeConfig: defineEndpoint({
    method: 'POST',
    path: '/v1/node-config/rollback',
    summary: 'Bring an earlier version of the node configuration to the nodes, as a new one',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    /** Absent: the last one that came to all nodes. */
    body: z.strictObject({ to: z.number().int().min(0).optional() }),
    response: c.configVersionView,
  }),
  stopNodeConfig: defineEndpoint({
    method: 'POST',
    path: '/v1/node-config/stop',
    summary: 'Begin with no further node; those that have begun go on to their end',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: c.configVersionView,
  }),
  getNodeConfig: defineEndpoint({
    method: 'GET',
    path: '/v1/node-config',
    summary: 'The newest version of the node configuration, and what each node has of it',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: c.nodeConfigStatus,
  }),
  listNodeConfigVersions: defineEndpoint({
    method: 'GET',
    path: '/v1/node-config/versions',
    summary: 'Versions of the node configuration, the newest first',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: c.configVersionView,
  }),
  getNodeConfigVersion: defineEndpoint({
    method: 'GET',
    path: '/v1/node-config/versions/:version',
    summary: 'One version with its document',
    role: 'admin',
    transport: 'json',
    params: z.object({ version: z.string() }),
    query: none,
    body: none,
    response: c.configVersionDetail,
  }),
} as const
