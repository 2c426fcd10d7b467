import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import * as s from '../sizing-resources.ts'
import { idParams, none } from './shared.ts'

const maxWindowMs = 8 * 86_400_000

const bandwidth = z.number().int().min(100_000).max(1_000_000_000_000)

const resizeBody = z.strictObject({
  cpuMilli: z.number().int().positive().max(10_000_000).optional(),
  memoryBytes: z.number().int().positive().optional(),
  inBitsPerSecond: bandwidth.optional(),
  outBitsPerSecond: bandwidth.optional(),
  /** Back to what berth.yaml says (an instance: to what its entrypoint has). */
  asWritten: z.boolean().default(false),
  /** Answers what would become of each instance, and does nothing. */
  dryRun: z.boolean().default(false),
})

/** CPU, memory and bandwidth of what runs. */
export const sizingEndpoints = {
  resizeEntrypoint: defineEndpoint({
    method: 'POST',
    path: '/v1/apps/:app/pools/:pool/entrypoints/:entrypoint/resize',
    summary: 'Change CPU, memory and limits of bandwidth of an entrypoint, in place where its nodes have room',
    role: 'deployer',
    transport: 'json',
    params: z.strictObject({ app: z.string(), pool: z.string(), entrypoint: z.string() }),
    query: none,
    body: resizeBody,
    response: s.resizeView,
  }),
  getAdvice: defineEndpoint({
    method: 'GET',
    path: '/v1/advice',
    summary: 'The right CPU, memory and count of each entrypoint, by what it used in the last week',
    role: 'viewer',
    transport: 'json',
    params: none,
    query: z.strictObject({
      app: z.string().optional(),
      pool: z.string().optional(),
      entrypoint: z.string().optional(),
      /** Nothing is advised after a shorter observation; absent: an hour. */
      leastMs: z.coerce.number().int().min(1000).max(maxWindowMs).optional(),
      /** Of the last so long; whole days are kept. Absent: a week. */
      windowMs: z.coerce.number().int().min(1000).max(maxWindowMs).optional(),
    }),
    body: none,
    response: z.object({
      items: z.array(s.adviceView),
      /** Nodes that did not say what was used there. */
      missing: z.array(z.string()),
    }),
  }),
  resizeInstance: defineEndpoint({
    method: 'POST',
    path: '/v1/instances/:id/resize',
    summary: 'Change CPU, memory and limits of bandwidth of one instance where it runs',
    role: 'deployer',
    transport: 'json',
    params: idParams,
    query: none,
    body: resizeBody,
    response: s.resizeView,
  }),
} as const
