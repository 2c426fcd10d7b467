import { z } from 'zod'

/** Resources of the cluster as a whole: its servers, its store, what happened; see `index.ts`. */
const time = z.number().int()

/** Where the server's records are, and how that is. */
export const storeView = z.object({
  kind: z.enum(['sqlite', 'etcd']),
  location: z.string(),
  revision: z.number().int(),
  healthy: z.boolean(),
  sizeBytes: z.number().optional(),
  members: z
    .array(
      z.object({
        address: z.string(),
        healthy: z.boolean(),
        version: z.string().optional(),
        sizeBytes: z.number().optional(),
        leader: z.boolean().optional(),
        problem: z.string().optional(),
      }),
    )
    .optional(),
})

/** One of the servers on the store. */
export const serverView = z.object({
  name: z.string(),
  version: z.string(),
  startedAt: time,
  /** `host:port` of its API, unless it is reached by its socket only. */
  apiAddress: z.string().optional(),
  agentAddress: z.string().optional(),
  /** Nodes whose agents it hears. */
  hears: z.number().int().optional(),
  /** What it leads: `cluster`, `builds`, `clock`, `upkeep`. */
  leads: z.array(z.string()),
  /** The one that answers. */
  answers: z.boolean(),
})

export const statusView = z.object({
  version: z.string(),
  epoch: z.string(),
  revision: z.number().int(),
  startedAt: time,
  actor: z.string(),
  role: z.enum(['admin', 'deployer', 'viewer']),
  nodes: z.number().int(),
  nodesOnline: z.number().int(),
  apps: z.number().int(),
  instances: z.number().int(),
  instancesReady: z.number().int(),
  /** The cluster's own authority: what to trust it by. */
  authority: z.object({ fingerprint: z.string(), expiresAt: time, trustPem: z.string() }).optional(),
  /** Where machines that join dial: the API, and the port of agents on the same host. */
  joining: z.object({ server: z.string(), agentPort: z.number().int() }).optional(),
  store: storeView.optional(),
  /** Of the server itself, one sentence each. */
  problems: z.array(z.string()).optional(),
  /** Failover addresses of gateways, and the nodes that have each now. Absent: there are none. */
  failover: z.array(z.object({ address: z.string(), heldBy: z.array(z.string()) })).optional(),
  gatewayUrl: z.string().optional(),
  consoleUrl: z.string().optional(),
  /** The server that answers, and all that there are. Absent from servers of the form before. */
  server: z.string().optional(),
  servers: z.array(serverView).optional(),
})

export const eventView = z.object({
  id: z.string(),
  at: time,
  type: z.string(),
  actor: z.string(),
  subject: z.record(z.string(), z.string()),
  message: z.string(),
})

/** A backup travels as these lines: its head, perhaps keys, every record in the order of keys, its end. */
export const backupLine = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('backup'),
    form: z.number().int(),
    version: z.string(),
    /** Of the store that it is of, and at which revision. */
    epoch: z.string(),
    revision: z.number().int(),
    at: time,
  }),
  /** `secret.key` and the authority, sealed by the passphrase. */
  z.object({ type: z.literal('keys'), sealed: z.string() }),
  z.object({ type: z.literal('record'), key: z.string(), value: z.string() }),
  /** Checksum of all lines before, each as compact JSON and a line feed. */
  z.object({ type: z.literal('end'), records: z.number().int(), sha256: z.string() }),
])

export type ServerView = z.infer<typeof serverView>
export type StatusView = z.infer<typeof statusView>
export type EventView = z.infer<typeof eventView>
export type BackupLine = z.infer<typeof backupLine>
