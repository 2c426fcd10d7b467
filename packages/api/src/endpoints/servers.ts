import { z } from 'zod'
import { serverView } from '../cluster-resources.ts'
import { defineEndpoint } from '../endpoint.ts'
import { none, watch } from './shared.ts'

/** Several servers on one store. */
export const serversEndpoints = {
  listServers: defineEndpoint({
    method: 'GET',
    path: '/v1/servers',
    summary: 'Servers that are up, and what each of them leads',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: z.strictObject(watch),
    body: none,
    response: serverView,
  }),
  createServerToken: defineEndpoint({
    method: 'POST',
    path: '/v1/servers/join-tokens',
    summary: 'A one-time token for `berth server join`: whoever has it gets the key of all secrets',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ ttlMs: z.number().int().positive().max(86_400_000).default(900_000) }),
    response: z.object({ token: z.string(), expiresAt: z.number().int(), command: z.string() }),
  }),
  joinServer: defineEndpoint({
    method: 'POST',
    path: '/v1/servers/join',
    summary: 'Let a server in: a one-time token for the cluster’s key',
    role: 'none',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ token: z.string(), name: z.string() }),
    response: z.object({ secretKey: z.string() }),
  }),
} as const
