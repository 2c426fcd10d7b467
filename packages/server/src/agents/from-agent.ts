import { type FromAgent, readShape } from '@berth/api'
import {
  BerthError,
  connectionCountsLength,
  type ItemValue,
  maxProfiles,
  networkDrivers,
  nodeAbilities,
  parseBlock,
  requestCountsLength,
} from '@berth/core'
import { z } from 'zod'
import { isPlainLine } from './plain-line.ts'

const time = z.number().int()
const text = z.string().max(10_000)
const size = z.number().nonnegative()
const logTail = z.array(text).max(200)
const block = z.string().refine((given) => {
  try {
    return parseBlock(given) !== undefined
  } catch {
    return false
  }
})

/** Only shown to people. */
const itemValue = z.custom<ItemValue>()

/**
 * An agent is known, but not trusted blindly. Fields that are not named here are left out without a word: they are of a newer agent, which may
 * run beside an older server while both are upgraded, and would be in every line. That none of this version's is forgotten is seen to below.
 */
const instanceStatus = z.object({
  id: z.string().max(200),
  createdAt: time.optional(),
  node: z.string().max(100),
  phase: z.enum(['pending', 'assigned', 'running', 'stopping', 'ended']),
  ready: z.boolean(),
  readyAt: time.optional(),
  containerId: text.optional(),
  pid: z.number().int().optional(),
  address: text.optional(),
  networks: z
    .array(z.object({ name: z.string().max(100), address: text.optional() }))
    .max(100)
    .optional(),
  granted: z.object({ cpuMilli: size.optional(), cores: text.optional(), memoryBytes: size }).optional(),
  restarts: z.number().int().nonnegative(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  lastExit: z
    .object({ code: z.number().int(), signal: text.optional(), outOfMemory: z.boolean(), at: time })
    .optional(),
  message: text.optional(),
  messageCode: text.optional(),
  logTail: logTail.optional(),
})

const nodeStatus = z.object({
  name: z.string().max(100),
  online: z.boolean(),
  onlineSince: time.optional(),
  cpuMilli: size,
  cores: z
    .object({
      count: z.number().int().positive().max(4096),
      numa: z.array(z.array(z.number().int().nonnegative()).max(4096)).max(256),
    })
    .optional(),
  memoryBytes: size,
  diskBytes: size,
  diskFreeBytes: size,
  agentVersion: text,
  engineVersion: text,
  engineApi: text,
  kernel: text,
  os: text,
  cgroup: z.enum(['v1', 'v2']),
  gateway: z.boolean(),
  network: z
    .object({
      driver: z.enum(networkDrivers),
      wanted: z.enum(networkDrivers).optional(),
      range: block.optional(),
      blocks: z.array(block).max(64).optional(),
    })
    .optional(),
  dockerNetworks: z.array(z.string().max(100)).max(100).optional(),
  lanProblems: z.record(z.string().max(100), text).optional(),
  // Those that only a newer agent has are nothing to this server.
  abilities: z
    .array(z.string().max(100))
    .max(100)
    .transform((given) => nodeAbilities.filter((each) => given.includes(each)))
    .optional(),
  byHand: z
    .array(
      z.object({
        address: z.ipv4(),
        profiles: z.array(z.string().max(40)).min(1).max(maxProfiles),
        closed: text.optional(),
      }),
    )
    .max(5000)
    .optional(),
  gatewayRestartedAt: time.optional(),
  gatewayReloads: z.number().int().nonnegative().optional(),
  endedFiles: z.object({ directory: text, keepMs: size }).optional(),
  upgrade: z
    .object({
      state: z.enum(['switching', 'done', 'rolled-back']),
      from: text,
      to: text,
      at: size,
      why: text.optional(),
    })
    .optional(),
  config: z
    .object({
      version: z.number().int().nonnegative(),
      order: text.optional(),
      state: z.enum(['applying', 'undoing', 'applied', 'undone']),
      at: size,
      why: text.optional(),
      output: z.array(text).max(100).optional(),
      drift: z
        .array(z.object({ key: z.string().max(500), before: itemValue, after: itemValue }))
        .max(20)
        .optional(),
    })
    .optional(),
  uplink: z.object({ name: z.string().max(20), bitsPerSecond: z.number().int().positive().optional() }).optional(),
  routes: z
    .object({ mode: z.literal('bgp'), sessions: z.number().int().nonnegative(), up: z.number().int().nonnegative() })
    .optional(),
  failover: z
    .array(
      z.object({
        address: z.string().max(60),
        state: z.enum(['holds', 'waits', 'problem']),
        since: time.optional(),
        why: text.optional(),
      }),
    )
    .max(100)
    .optional(),
  problems: z.array(text).max(100),
})

const instances = z.array(instanceStatus).max(10_000)

const requestRow = z.object({
  route: z.string().max(1_000),
  pool: z.string().max(300),
  instance: z.string().max(300),
  counts: z.array(z.number().int().nonnegative()).length(requestCountsLength),
})

const connectionRow = z.object({
  route: z.string().max(1_000),
  pool: z.string().max(300),
  instance: z.string().max(300),
  counts: z.array(z.number().int().nonnegative()).length(connectionCountsLength),
  open: z.number().int().nonnegative(),
})

const fromAgent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    node: nodeStatus,
    instances,
    accepts: z.array(z.string().max(100)).max(100).optional(),
  }),
  z.object({ type: z.literal('status'), instances }),
  z.object({ type: z.literal('node'), node: nodeStatus }),
  z.object({ type: z.literal('gateway'), version: z.number().int(), inflight: z.record(z.string(), z.number()) }),
  z.object({
    type: z.literal('requests'),
    begins: z.literal(true).optional(),
    rows: z.array(requestRow).max(10_000),
    connections: z.array(connectionRow).max(10_000).optional(),
  }),
  z.object({ type: z.literal('image-missing'), image: text }),
  z.object({
    type: z.literal('pong'),
    at: z.number(),
    use: z.object({ cpuMilli: size, memoryBytes: size }).optional(),
  }),
])

/** All of it there, so that what is optional counts too; which texts are possible is of no interest. */
type Whole<T> = T extends string
  ? string
  : T extends readonly (infer Item)[]
    ? Whole<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]-?: Whole<Exclude<T[Key], undefined>> }
      : T

/** Does not compile when the protocol has a field that is forgotten here, and would be left out without a word. */
const nothingForgotten = (read: Whole<z.output<typeof fromAgent>>): Whole<FromAgent> => read
void nothingForgotten

const known = new Set(fromAgent.options.map((option) => option.shape.type.value as string))

/** Undefined for a type that only a newer agent knows. Throws `agent.invalid-line`. */
export function parseFromAgent(line: string): FromAgent | undefined {
  let document: unknown
  try {
    document = JSON.parse(line)
  } catch (cause) {
    throw invalid('it is no JSON', cause)
  }
  if (isPlainLine(document)) return document
  const type = (document as { readonly type?: unknown } | null)?.type
  if (typeof type === 'string' && !known.has(type)) return undefined
  return readBySchema(document)
}

/** What it lets pass has no fields that it does not know. Throws `agent.invalid-line`. */
export function readBySchema(document: unknown): FromAgent {
  const read = readShape(fromAgent, document)
  if ('value' in read) return read.value as FromAgent
  const [problem] = read.problems
  throw invalid(`${problem?.path.join('.') ?? ''}: ${problem?.message ?? ''}`)
}

const invalid = (why: string, cause?: unknown): BerthError =>
  new BerthError(
    'agent.invalid-line',
    `read a line of an agent: ${why}; is the agent of a version that fits the server?`,
    {
      cause,
    },
  )
