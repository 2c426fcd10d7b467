import { z } from 'zod'

/** Resources of routes and certificates; see `index.ts`. */
const time = z.number().int()

export const routeView = z.object({
  /** Of a port of the gateways `tcp://gateway.example.com:5432`; host and path are empty then. */
  url: z.string(),
  host: z.string(),
  path: z.string(),
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  /** The external service to which it leads; app, pool and entrypoint are empty then. */
  external: z.string().optional(),
  tls: z.enum(['off', 'on', 'redirect']),
  /** Of a port of the gateways: blocks of addresses that clients may have. Absent: any. */
  allow: z.array(z.string()).optional(),
  /** Its requests are answered with the maintenance page. */
  maintenance: z.literal(true).optional(),
  members: z.array(z.object({ instance: z.string(), address: z.string(), port: z.number(), state: z.string() })),
})

export const maintenanceView = z.object({
  host: z.string(),
  on: z.boolean(),
  page: z.string().optional(),
  updatedAt: time,
  updatedBy: z.string(),
})

/** `state` of a host: `own` (somebody gave one), `held`, `due`, `waits` (it failed; again at `nextAt`), `cannot` (no authority would give one). */
export const acmeView = z.object({
  /** Absent: certificates are not obtained. */
  directoryUrl: z.string().optional(),
  email: z.string().optional(),
  /** Who has signed the directory's own certificate, where it is none of the usual ones. */
  caPem: z.string().optional(),
  hosts: z.array(
    z.object({
      host: z.string(),
      state: z.enum(['own', 'held', 'due', 'waits', 'cannot']),
      notAfter: time.optional(),
      nextAt: z.number().optional(),
      message: z.string().optional(),
    }),
  ),
})
export type AcmeView = z.infer<typeof acmeView>

export const certificateView = z.object({
  name: z.string(),
  hosts: z.array(z.string()),
  notBefore: time,
  notAfter: time,
  updatedAt: time,
  updatedBy: z.string(),
  /** Names of it for which gateways show another certificate: that one is valid longer, or was given where this one was obtained. */
  superseded: z.array(z.object({ host: z.string(), by: z.string() })).optional(),
})

const requestTimes = {
  meanMs: z.number().optional(),
  p50Ms: z.number().optional(),
  p95Ms: z.number().optional(),
  p99Ms: z.number().optional(),
}

/** Requests a second over the last 10 to 20 seconds. Lost: no instance answered; they are among the 5xx. Absent times: nothing was answered. */
const requestRate = {
  perSecond: z.number(),
  errors4xxPerSecond: z.number(),
  errors5xxPerSecond: z.number(),
  lostPerSecond: z.number(),
  ...requestTimes,
}

export const routeTrafficView = z.object({
  url: z.string(),
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  external: z.string().optional(),
  ...requestRate,
})

export const instanceTrafficView = z.object({
  instance: z.string(),
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  release: z.string(),
  generation: z.number(),
  ...requestRate,
})

/** A second, over the last 10 to 20; `open`: now. Bytes are with their headers; of UDP connections are conversations. */
const connectionRate = {
  connectionsPerSecond: z.number(),
  packetsInPerSecond: z.number(),
  bytesInPerSecond: z.number(),
  packetsOutPerSecond: z.number(),
  bytesOutPerSecond: z.number(),
  open: z.number(),
}

/** A port of the gateways, and which part of it each instance has. */
export const portTrafficView = z.object({
  url: z.string(),
  app: z.string(),
  pool: z.string(),
  entrypoint: z.string(),
  ...connectionRate,
  members: z.array(z.object({ instance: z.string(), ...connectionRate })),
})

/** `knownToMs`: until when all gateways that are online have told; absent: one has not, and numbers may be too small. */
export const trafficView = z.object({
  routes: z.array(routeTrafficView),
  instances: z.array(instanceTrafficView),
  /** Ports of the gateways; absent of servers of before. */
  ports: z.array(portTrafficView).optional(),
  knownToMs: time.optional(),
})

const requestSummary = {
  requests: z.number(),
  errors4xx: z.number(),
  errors5xx: z.number(),
  lost: z.number(),
  failedTries: z.number(),
  ...requestTimes,
}

const ofGeneration = z.object({ generation: z.number(), release: z.string(), ...requestSummary })

/**
 * What became of a pool's requests from `fromMs` to `toMs`; the server counts since `knownFromMs`. `steps`: the same in steps of the length that was
 * asked for, each from `atMs` on; counts need not be whole.
 */
export const poolTrafficView = z.object({
  fromMs: time,
  toMs: time,
  all: z.object(requestSummary),
  generations: z.array(ofGeneration),
  steps: z.array(z.object({ atMs: time, generations: z.array(ofGeneration) })).optional(),
  knownFromMs: time,
  knownToMs: time.optional(),
})

export type TrafficView = z.infer<typeof trafficView>
export type PortTrafficView = z.infer<typeof portTrafficView>
export type RouteTrafficView = z.infer<typeof routeTrafficView>
export type InstanceTrafficView = z.infer<typeof instanceTrafficView>
export type PoolTrafficView = z.infer<typeof poolTrafficView>
export type RouteView = z.infer<typeof routeView>
export type MaintenanceView = z.infer<typeof maintenanceView>
export type CertificateView = z.infer<typeof certificateView>
