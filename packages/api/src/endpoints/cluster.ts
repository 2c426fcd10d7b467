import { z } from 'zod'
import { backupLine, eventView, statusView } from '../cluster-resources.ts'
import { defineEndpoint } from '../endpoint.ts'
import { count, none, watch } from './shared.ts'

/** What concerns the cluster as a whole. */
export const clusterEndpoints = {
  getStatus: defineEndpoint({
    method: 'GET',
    path: '/v1/status',
    summary: 'The cluster at a glance',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: statusView,
  }),
  getVersion: defineEndpoint({
    method: 'GET',
    path: '/v1/version',
    summary: 'Version of the server',
    role: 'none',
    transport: 'json',
    params: none,
    query: none,
    body: none,
    response: z.object({
      version: z.string(),
      api: z.string(),
      /** The server's clock. Absent: from a server that does not tell. */
      now: z.number().int().optional(),
    }),
  }),
  createBackup: defineEndpoint({
    method: 'POST',
    path: '/v1/backup',
    summary: 'All records of one revision, with a checksum; sealed values stay sealed',
    role: 'admin',
    transport: 'ndjson',
    params: none,
    query: none,
    /** With a passphrase, the key that opens sealed values and the authority are included, sealed by it. */
    body: z.strictObject({ passphrase: z.string().max(1024).optional() }),
    response: backupLine,
  }),
  listEvents: defineEndpoint({
    method: 'GET',
    path: '/v1/events',
    summary: 'What happened; newest first, or live with watch',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: z.strictObject({ ...watch, app: z.string().optional(), limit: count }),
    body: none,
    response: eventView,
  }),
} as const
