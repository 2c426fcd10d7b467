import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as l from '../lan-resources.ts'
import { listQuery, nameParams, none, ok } from './shared.ts'

/** Networks that machines are on already, and that instances may be in as well. */
export const lansEndpoints = {
  listLans: defineEndpoint({
    method: 'GET',
    path: '/v1/networks',
    summary: 'Networks of the machines’ own, with the nodes that have them and what is wrong there',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: l.lanView,
  }),
  getLan: defineEndpoint({
    method: 'GET',
    path: '/v1/networks/:name',
    summary: 'One network of the machines’ own',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: l.lanView,
  }),
  createLan: defineEndpoint({
    method: 'POST',
    path: '/v1/networks',
    summary: 'Make a network of the machines’ own: nodes get slices of its range, and Docker networks of its name',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({
      name: z.string(),
      /** `macvlan` or `flat`. */
      mode: z.string(),
      parent: z.string(),
      vlan: z.number().int().optional(),
      subnet: z.string(),
      gateway: z.string().optional(),
      range: z.string().optional(),
      sliceSize: z.number().int().optional(),
      label: z.strictObject({ name: z.string(), value: z.string() }).optional(),
      groups: z.array(z.string()).max(100).optional(),
    }),
    response: l.lanView,
  }),
  removeLan: defineEndpoint({
    method: 'DELETE',
    path: '/v1/networks/:name',
    summary: 'Remove a network of the machines’ own that no instance and no entrypoint uses',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: ok,
  }),
} as const
