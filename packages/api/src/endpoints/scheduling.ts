import { z } from 'zod'
import { poolView } from '../app-resources.ts'
import { rolloutView } from '../deploy-resources.ts'
import { defineEndpoint } from '../endpoint.ts'
import { instanceView } from '../instance-resources.ts'
import * as s from '../scheduling-resources.ts'
import { listQuery, none, poolParams, watch } from './shared.ts'

const entrypointParams = z.strictObject({ app: z.string(), pool: z.string(), entrypoint: z.string() })

/** Where pools are, who may have how much, and what runs by the clock. */
export const schedulingEndpoints = {
  movePool: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/pools/:pool/move',
    summary:
      'Move a pool to another node group (null: where its berth.yaml says), replacing its instances batch by batch',
    role: 'deployer',
    transport: 'json',
    params: poolParams,
    query: none,
    body: z.strictObject({ group: z.string().nullable() }),
    response: z.object({ pool: poolView, rollout: rolloutView.optional() }),
  }),
  listApprovals: defineEndpoint({
    method: 'GET',
    path: '/v1/approvals',
    summary: 'Wishes for more memory than a group gives without asking',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: s.approvalView,
  }),
  decideApproval: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/pools/:pool/approvals/:entrypoint',
    summary: 'Approve or deny such a wish; for those whom the group names',
    role: 'deployer',
    transport: 'json',
    params: entrypointParams,
    query: none,
    body: z.strictObject({ decision: z.enum(['approve', 'deny']) }),
    response: s.approvalView,
  }),
  listCrons: defineEndpoint({
    method: 'GET',
    path: '/v1/crons',
    summary: 'Jobs that run by the clock: when next, and what became of the last runs',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: z.strictObject({ ...watch, app: z.string().optional(), pool: z.string().optional() }),
    body: none,
    response: s.cronView,
  }),
  getCron: defineEndpoint({
    method: 'GET',
    path: '/v1/apps/:app/pools/:pool/crons/:entrypoint',
    summary: 'One job that runs by the clock',
    role: 'viewer',
    transport: 'json',
    params: entrypointParams,
    query: none,
    body: none,
    response: s.cronView,
  }),
  runCron: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/pools/:pool/crons/:entrypoint/run',
    summary: 'Run such a job now, besides its schedule',
    role: 'deployer',
    transport: 'json',
    params: entrypointParams,
    query: none,
    body: none,
    response: instanceView,
  }),
} as const
