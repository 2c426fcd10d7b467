import { z } from 'zod'
import { secretView, tokenView } from '../access-resources.ts'
import { defineEndpoint } from '../endpoint.ts'
import { appParams, listQuery, nameParams, none, ok } from './shared.ts'

/** Who may do what, and what only some may know. */
export const accessEndpoints = {
  listSecrets: defineEndpoint({
    method: 'GET',
    path: '/v1/apps/:app/secrets',
    summary: 'Names of secrets; values are never shown',
    role: 'deployer',
    transport: 'list',
    params: appParams,
    query: listQuery,
    body: none,
    response: secretView,
  }),
  setSecret: defineEndpoint({
    method: 'PUT',
    path: '/v1/apps/:app/secrets/:name',
    summary: 'Set a secret',
    role: 'deployer',
    transport: 'json',
    params: z.strictObject({ app: z.string(), name: z.string() }),
    query: none,
    body: z.strictObject({ value: z.string(), environment: z.string().optional() }),
    response: secretView,
  }),
  removeSecret: defineEndpoint({
    method: 'DELETE',
    path: '/v1/apps/:app/secrets/:name',
    summary: 'Remove a secret',
    role: 'deployer',
    transport: 'json',
    params: z.strictObject({ app: z.string(), name: z.string() }),
    query: z.strictObject({ environment: z.string().optional() }),
    body: none,
    response: ok,
  }),
  listTokens: defineEndpoint({
    method: 'GET',
    path: '/v1/tokens',
    summary: 'Access tokens',
    role: 'admin',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: tokenView,
  }),
  createToken: defineEndpoint({
    method: 'POST',
    path: '/v1/tokens',
    summary: 'Create a token; its text is shown this once',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({
      name: z.string(),
      owner: z.string(),
      role: z.enum(['admin', 'deployer', 'viewer']),
      ttlMs: z.number().int().positive().optional(),
    }),
    response: tokenView.extend({ token: z.string() }),
  }),
  removeToken: defineEndpoint({
    method: 'DELETE',
    path: '/v1/tokens/:name',
    summary: 'Revoke a token',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: ok,
  }),
} as const
