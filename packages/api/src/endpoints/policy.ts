import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as p from '../policy-resources.ts'
import { ifVersion, listQuery, nameParams, none, ok } from './shared.ts'

/** Security profiles: who may talk to whom. */
export const policyEndpoints = {
  listProfiles: defineEndpoint({
    method: 'GET',
    path: '/v1/profiles',
    summary: 'Security profiles',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: p.profileView,
  }),
  getProfile: defineEndpoint({
    method: 'GET',
    path: '/v1/profiles/:name',
    summary: 'One security profile',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: p.profileView,
  }),
  putProfile: defineEndpoint({
    method: 'PUT',
    path: '/v1/profiles/:name',
    summary:
      'Make or change a security profile: Calico’s JSON, or the short form; with `version` only if it still has that one (0: if there is none)',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: ifVersion,
    body: z.record(z.string(), z.unknown()),
    response: p.profileView,
  }),
  removeProfile: defineEndpoint({
    method: 'DELETE',
    path: '/v1/profiles/:name',
    summary: 'Remove a security profile that nobody names',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: ifVersion,
    body: none,
    response: ok,
  }),
  getProfileUsers: defineEndpoint({
    method: 'GET',
    path: '/v1/profiles/:name/users',
    summary: 'Entrypoints that name a security profile in what runs or is about to, and instances that have it',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: p.profileUsersView,
  }),
  validateProfile: defineEndpoint({
    method: 'POST',
    path: '/v1/validate-profile',
    summary:
      'Read a security profile as somebody wrote it, in YAML or JSON: its rules, or every mistake; nothing is changed',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ text: z.string().max(1_000_000) }),
    response: p.validatedProfileView,
  }),
  explainPacket: defineEndpoint({
    method: 'GET',
    path: '/v1/net/explain',
    summary: 'Whether the first packet of a connection passes, and which rule decides it on both ends',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({
      /** An instance, `app/entrypoint`, `app/pool/entrypoint`, or an address. */
      from: z.string(),
      to: z.string(),
      protocol: z.enum(['tcp', 'udp', 'icmp']).optional(),
      /** By which version of IP. Default: that of an end that is an address, else 4 where both ends have it. */
      family: z.coerce
        .number()
        .pipe(z.literal([4, 6]))
        .optional(),
      /** Default: the first port that the entrypoint declares. */
      port: z.coerce.number().int().min(1).max(65_535).optional(),
      sourcePort: z.coerce.number().int().min(1).max(65_535).optional(),
    }),
    body: none,
    response: p.packetExplanation,
  }),
} as const
