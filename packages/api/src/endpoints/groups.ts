import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as s from '../scheduling-resources.ts'
import { imageLimitsChange, listQuery, nameParams, none, ok } from './shared.ts'

const amount = z.number().int().positive()
const rules = {
  cpu: z.enum(['bound', 'shared']),
  shareBase: z.union([z.literal(10), z.literal(100), z.literal(1000)]),
  maxSharedCores: z.number().int().nonnegative(),
  oversellMilli: z.number().int().min(1000).max(100_000),
  quota: z.strictObject({ cpuMilli: amount.optional(), memoryBytes: amount.optional() }),
  allowedOwners: z.array(z.string()),
  memoryApproval: z.strictObject({ aboveBytes: amount, approvers: z.array(z.string()).default([]) }),
  rebalanceOnJoin: z.strictObject({ disruption: z.number().int().min(1).max(100) }),
  /** Of each of its nodes; null takes one back. */
  images: imageLimitsChange,
}

/** Node groups: how CPU is given out, how much, and to whom. */
export const groupsEndpoints = {
  listGroups: defineEndpoint({
    method: 'GET',
    path: '/v1/groups',
    summary: 'Node groups with what they have and what is given out',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: s.groupView,
  }),
  getGroup: defineEndpoint({
    method: 'GET',
    path: '/v1/groups/:name',
    summary: 'One node group',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: s.groupView,
  }),
  createGroup: defineEndpoint({
    method: 'POST',
    path: '/v1/groups',
    summary: 'Make a node group',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ name: z.string(), ...z.strictObject(rules).partial().shape }),
    response: s.groupView,
  }),
  updateGroup: defineEndpoint({
    method: 'PATCH',
    path: '/v1/groups/:name',
    summary: 'Change the rules of a node group (null takes one back)',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject({
      cpu: rules.cpu.optional(),
      shareBase: rules.shareBase.optional(),
      oversellMilli: rules.oversellMilli.optional(),
      maxSharedCores: rules.maxSharedCores.nullable().optional(),
      quota: rules.quota.nullable().optional(),
      allowedOwners: rules.allowedOwners.nullable().optional(),
      memoryApproval: rules.memoryApproval.nullable().optional(),
      rebalanceOnJoin: rules.rebalanceOnJoin.nullable().optional(),
      images: rules.images.optional(),
    }),
    response: s.groupView,
  }),
  removeGroup: defineEndpoint({
    method: 'DELETE',
    path: '/v1/groups/:name',
    summary: 'Remove a node group that no node is in',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: ok,
  }),
} as const
