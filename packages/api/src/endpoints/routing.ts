import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import { nodeRoutesView, routingSessionsView, routingView } from '../routing-resources.ts'
import { nameParams, none } from './shared.ts'

const asNumber = z.number().int()

/** How nodes learn the routes to each other's blocks. */
export const routingEndpoints = {
  getRouting: defineEndpoint({
    method: 'GET',
    path: '/v1/routing',
    summary: 'How nodes learn routes: settings, who passes on, routers that nodes speak with',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: routingView,
  }),
  updateRouting: defineEndpoint({
    method: 'PATCH',
    path: '/v1/routing',
    summary: 'Change how nodes learn routes; no packet is lost by it',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({
      mode: z.enum(['static', 'bgp', 'cloud']).optional(),
      /** AS number of nodes whose site has none of its own. */
      as: asNumber.optional(),
      /** AS numbers by site; null takes one away. */
      sites: z.record(z.string(), asNumber.nullable()).optional(),
      /** Up to so many nodes everybody speaks with everybody. */
      meshUpTo: z.number().int().optional(),
      /** Nodes of each site that pass on what they learn. */
      reflectors: z.number().int().optional(),
      /** Where short names of instances are looked for behind their own apps, all of them; empty: nowhere. */
      searchDomains: z.array(z.string()).optional(),
      /** Below it nodes answer Consul's names; empty: nowhere. */
      consulDomain: z.string().optional(),
    }),
    response: routingView,
  }),
  setRoutingPeer: defineEndpoint({
    method: 'PUT',
    path: '/v1/routing/peers/:name',
    summary: 'Have nodes speak BGP with a router',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject({
      address: z.string(),
      as: asNumber,
      /** Only nodes that bear it; absent: all. */
      label: z.strictObject({ name: z.string(), value: z.string() }).optional(),
      /** Absent: as before. Empty: none. */
      password: z.string().optional(),
    }),
    response: routingView,
  }),
  removeRoutingPeer: defineEndpoint({
    method: 'DELETE',
    path: '/v1/routing/peers/:name',
    summary: 'Have nodes speak BGP with a router no more',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: routingView,
  }),
  setCloudTable: defineEndpoint({
    method: 'PUT',
    path: '/v1/routing/tables/:name',
    summary: 'Keep an entry of each node’s block in a route table of a provider, behind an HTTP service',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject({
      url: z.string(),
      /** Only nodes with this label `site`; absent: all. */
      site: z.string().optional(),
      /** Absent: as before, as long as the address is the same. Empty: none. */
      token: z.string().optional(),
    }),
    response: routingView,
  }),
  removeCloudTable: defineEndpoint({
    method: 'DELETE',
    path: '/v1/routing/tables/:name',
    summary: 'Keep the entries of a route table no more; they stay there',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: routingView,
  }),
  getRoutingSessions: defineEndpoint({
    method: 'GET',
    path: '/v1/routing/sessions',
    summary: 'Which sessions of BGP are up, as all nodes say that are asked for it at once',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: routingSessionsView,
  }),
  getNodeRoutes: defineEndpoint({
    method: 'GET',
    path: '/v1/nodes/:name/routes',
    summary: "How a node gets to others' blocks now, and which sessions are up; the node is asked",
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: nodeRoutesView,
  }),
} as const
