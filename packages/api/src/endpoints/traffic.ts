import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import { certificateView, routeView } from '../traffic-resources.ts'
import { listQuery, nameParams, none, ok } from './shared.ts'

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
