import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as r from '../release-resources.ts'
import { none, ok } from './shared.ts'

/** What releases go by, beside their rollouts. */
export const releasesEndpoints = {
  getPrometheus: defineEndpoint({
    method: 'GET',
    path: '/v1/prometheus',
    summary: 'The Prometheus that gates ask',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: r.metricSourceView,
  }),
  setPrometheus: defineEndpoint({
    method: 'PUT',
    path: '/v1/prometheus',
    summary: 'Have gates ask this Prometheus',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: z.strictObject({ url: z.string() }),
    response: r.metricSourceView,
  }),
  removePrometheus: defineEndpoint({
    method: 'DELETE',
    path: '/v1/prometheus',
    summary: 'Have gates ask no Prometheus any more: those with a query have no data',
    role: 'admin',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: ok,
  }),
} as const
