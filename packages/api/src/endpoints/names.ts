import { defineEndpoint } from '../endpoint.ts'
import * as n from '../name-resources.ts'
import { ifVersion, listQuery, nameParams, none, ok } from './shared.ts'

/** Names of what Berth does not run. */
export const namesEndpoints = {
  listExternals: defineEndpoint({
    method: 'GET',
    path: '/v1/externals',
    summary: 'External services',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: n.externalView,
  }),
  getExternal: defineEndpoint({
    method: 'GET',
    path: '/v1/externals/:name',
    summary: 'One external service',
    role: 'viewer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: n.externalView,
  }),
  setExternal: defineEndpoint({
    method: 'PUT',
    path: '/v1/externals/:name',
    summary:
      'Make or change an external service (`mysql`, `mysql.shop`, `mysql.staging.shop`): what is not said is not there; with `version` only if it still has that one (0: if there is none)',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: ifVersion,
    body: n.externalDocument,
    response: n.externalView,
  }),
  removeExternal: defineEndpoint({
    method: 'DELETE',
    path: '/v1/externals/:name',
    summary: 'Forget an external service: its name, its routes, and what its tags let through',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: ifVersion,
    body: none,
    response: ok,
  }),
} as const
