import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import { failoverAddressView } from '../failover-resources.ts'
import { listQuery, none, ok } from './shared.ts'

const addressParams = z.object({ address: z.string() })

/** Addresses of the gateways' own that stay reachable when one of them dies. */
export const failoverEndpoints = {
  listFailoverAddresses: defineEndpoint({
    method: 'GET',
    path: '/v1/failover-addresses',
    summary: 'Failover addresses of the gateways: who has each now, since when, and what is wrong',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: failoverAddressView,
  }),
  getFailoverAddress: defineEndpoint({
    method: 'GET',
    path: '/v1/failover-addresses/:address',
    summary: 'One failover address, gateway by gateway',
    role: 'viewer',
    transport: 'json',
    params: addressParams,
    query: none,
    body: none,
    response: failoverAddressView,
  }),
  addFailoverAddress: defineEndpoint({
    method: 'POST',
    path: '/v1/failover-addresses',
    summary: 'Give the gateways an address that stays reachable when one of them dies',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({
      address: z.string(),
      /** Only gateways of this site; absent: all. */
      site: z.string().min(1).max(100).optional(),
      /** Absent: `bgp` where routes are, else `vrrp`. */
      by: z.enum(['vrrp', 'bgp']).optional(),
    }),
    response: failoverAddressView,
  }),
  removeFailoverAddress: defineEndpoint({
    method: 'DELETE',
    path: '/v1/failover-addresses/:address',
    summary: 'Take a failover address away from the gateways',
    role: 'admin',
    transport: 'json',
    params: addressParams,
    query: none,
    body: none,
    response: ok,
  }),
} as const
