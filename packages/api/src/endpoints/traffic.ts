import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import { certificateView, maintenanceView, poolTrafficView, routeView, trafficView } from '../traffic-resources.ts'
import { listQuery, nameParams, none, ok, poolParams } from './shared.ts'

const moment = z.coerce.number().int().nonnegative().optional()

/** What the gateway serves. */
export const trafficEndpoints = {
  listRoutes: defineEndpoint({
    method: 'GET',
    path: '/v1/routes',
    summary: 'Routes of the gateway with their members',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: routeView,
  }),
  getTraffic: defineEndpoint({
    method: 'GET',
    path: '/v1/traffic',
    summary: 'Requests a second of routes and instances, and how fast they are answered',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({ app: z.string().optional(), pool: z.string().optional() }),
    body: none,
    response: trafficView,
  }),
  getPoolTraffic: defineEndpoint({
    method: 'GET',
    path: '/v1/apps/:app/pools/:pool/traffic',
    summary:
      'What became of the requests of a pool within a time, by generation; without one, in the last five minutes',
    role: 'viewer',
    transport: 'json',
    params: poolParams,
    query: z.strictObject({ entrypoint: z.string().optional(), fromMs: moment, toMs: moment }),
    body: none,
    response: poolTrafficView,
  }),
  getMaintenance: defineEndpoint({
    method: 'GET',
    path: '/v1/maintenance',
    summary: 'Hosts whose routes show the maintenance page, or have one of their own',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: z.object({ items: z.array(maintenanceView) }),
  }),
  setMaintenance: defineEndpoint({
    method: 'PUT',
    path: '/v1/maintenance/:host',
    summary: 'Show the maintenance page for all routes of a host, or no more; null takes its own page away',
    role: 'deployer',
    transport: 'json',
    params: z.strictObject({ host: z.string() }),
    query: none,
    body: z.strictObject({ on: z.boolean(), page: z.string().nullable().optional() }),
    response: maintenanceView,
  }),
  listCertificates: defineEndpoint({
    method: 'GET',
    path: '/v1/certificates',
    summary: 'Certificates of the gateway',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: certificateView,
  }),
  setCertificate: defineEndpoint({
    method: 'PUT',
    path: '/v1/certificates/:name',
    summary: 'Give the gateway a certificate',
    role: 'deployer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: z.strictObject({ certificatePem: z.string(), keyPem: z.string() }),
    response: certificateView,
  }),
  removeCertificate: defineEndpoint({
    method: 'DELETE',
    path: '/v1/certificates/:name',
    summary: 'Remove a certificate',
    role: 'deployer',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: ok,
  }),
} as const
