import { z } from 'zod'
import * as a from '../address-resources.ts'
import { defineEndpoint } from '../endpoint.ts'
import { nameParams, none, ok } from './shared.ts'

const names = z.array(z.string()).max(100)
const rules = {
  ipv6: z.string().optional(),
  blocksPerNode: z.number().int().optional(),
  returnAfterMs: z.number().int().optional(),
  sites: names.optional(),
  groups: names.optional(),
  natOutgoing: z.boolean().optional(),
  disabled: z.boolean().optional(),
}

/** Pools of addresses, and who has which. */
export const addressesEndpoints = {
  listAddresses: defineEndpoint({
    method: 'GET',
    path: '/v1/addresses',
    summary: 'Addresses in use, and whose they are; nodes are asked what was started there by hand',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({
      node: z.string().optional(),
      pool: z.string().optional(),
      app: z.string().optional(),
      /** From the node after this one on. */
      after: z.string().optional(),
      /** About so many: nodes are told whole; 1,000 unless said otherwise. */
      limit: z.coerce.number().int().min(1).max(10_000).optional(),
    }),
    body: none,
    response: a.addressListing,
  }),
  getAddress: defineEndpoint({
    method: 'GET',
    path: '/v1/addresses/:address',
    summary: 'Whose an address is, since when, its names, and whose it was last',
    role: 'viewer',
    transport: 'json',
    params: z.strictObject({ address: z.string() }),
    query: none,
    body: none,
    response: a.oneAddress,
  }),
  checkAddresses: defineEndpoint({
    method: 'GET',
    path: '/v1/address-check',
    summary:
      'Where what the store says of addresses and what nodes really have differ; the nodes are asked, twice if need be',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({ node: z.string().optional() }),
    body: none,
    response: a.addressCheck,
  }),
  releaseAddresses: defineEndpoint({
    method: 'POST',
    path: '/v1/address-check/release',
    summary: 'The same, and nodes take away what no container has; what runs is not touched',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ node: z.string().optional() }),
    response: a.addressCheck,
  }),
  listAddressPools: defineEndpoint({
    method: 'GET',
    path: '/v1/address-pools',
    summary: 'Address pools: for which nodes, and how much of them is given out',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: z.object({ items: z.array(a.addressPoolView) }),
  }),
  getAddressPool: defineEndpoint({
    method: 'GET',
    path: '/v1/address-pools/:name',
    summary: 'One address pool, with the nodes that have blocks of it',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: a.addressPoolView,
  }),
  addAddressPool: defineEndpoint({
    method: 'POST',
    path: '/v1/address-pools',
    summary: 'Add an address pool; nodes that join from then on get blocks of it where it is for them',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ name: z.string(), range: z.string(), blockSize: z.number().int().optional(), ...rules }),
    response: a.addressPoolView,
  }),
  updateAddressPool: defineEndpoint({
    method: 'PATCH',
    path: '/v1/address-pools/:name',
    summary: 'Change for whom an address pool is, and how; what has addresses keeps them',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject(rules),
    response: a.addressPoolView,
  }),
  removeAddressPool: defineEndpoint({
    method: 'DELETE',
    path: '/v1/address-pools/:name',
    summary: 'Remove an address pool of which no node has a block',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: ok,
  }),
} as const
