import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import { registryView } from '../resources.ts'
import { listQuery, none, ok } from './shared.ts'

/** Logins at image registries. */
export const registriesEndpoints = {
  listRegistries: defineEndpoint({
    method: 'GET',
    path: '/v1/registries',
    summary: 'Logins at image registries; passwords are never shown',
    role: 'deployer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: registryView,
  }),
  setRegistry: defineEndpoint({
    method: 'PUT',
    path: '/v1/registries',
    summary: 'Log the cluster in at an image registry',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ host: z.string(), username: z.string(), password: z.string() }),
    response: registryView,
  }),
  removeRegistry: defineEndpoint({
    method: 'DELETE',
    path: '/v1/registries',
    summary: 'Forget a login',
    role: 'admin',
    transport: 'json',
    params: none,
    query: z.strictObject({ host: z.string() }),
    body: none,
    response: ok,
  }),
} as const
