import { z } from 'zod'

/** Resources of routes and certificates; see `index.ts`. */
const time = z.number().int()

export const routeView = z.object({
  url: z.string(),
  host: z.string(),
  path: z.string(),
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  /** The external service to which it leads; app, pool and entrypoint are empty then. */
  external: z.string().optional(),
  tls: z.enum(['off', 'on', 'redirect']),
  members: z.array(z.object({ instance: z.string(), address: z.string(), port: z.number(), state: z.string() })),
})

export const certificateView = z.object({
  name: z.string(),
  hosts: z.array(z.string()),
  notBefore: time,
  notAfter: time,
  updatedAt: time,
  updatedBy: z.string(),
})

export type RouteView = z.infer<typeof routeView>
export type CertificateView = z.infer<typeof certificateView>
