import { canonicalAddress } from '../network/address6.ts'
import { parseGoDuration } from './blocking-query.ts'
import type { CheckStatus } from './catalog-entry.ts'
import { type RegisteredCheck, type RegisteredService, withStatus } from './registered-service.ts'

export interface RegistrationContext {
  /** Of the caller: what it registers is there unless it says otherwise. */
  readonly callerAddress: string
  readonly now: number
  readonly by: string
}

export type ReadRegistration<T> = { readonly value: T } | { readonly problems: readonly string[] }

const limits = { tags: 64, meta: 64, text: 512, checks: 16, id: 200 } as const
/** Consul's own. */
const minDeregisterMs = 60_000
const namePattern = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/
const statuses: readonly string[] = ['passing', 'warning', 'critical']
/** Checks that Consul's agent would run. */
const ranByAgent = [
  'http',
  'tcp',
  'udp',
  'grpc',
  'h2ping',
  'script',
  'args',
  'dockercontainerid',
  'osservice',
  'aliasservice',
  'aliasnode',
]

/** What `/v1/agent/service/register` takes, with every mistake. Names of fields may be written as `ServiceName`, `service_name` or `servicename`. */
export function readRegistration(body: unknown, context: RegistrationContext): ReadRegistration<RegisteredService> {
  const problems: string[] = []
  const fields = fieldsOf(body)
  if (fields === undefined) return { problems: ['a JSON object is expected'] }
  const name = text(fields.name)
  if (name === '') problems.push('Name: missing')
  else if (!namePattern.test(name))
    problems.push(
      `Name: ${JSON.stringify(name.slice(0, 80))} must be letters, digits and dashes, at most 63, as in a name of DNS`,
    )
  const id = text(fields.id) || name
  if (id.length > limits.id || /\p{Surrogate}/u.test(id)) problems.push(`ID: at most ${limits.id} characters`)
  for (const other of ['connect', 'proxy', 'kind'])
    if (!isNothing(fields[other])) problems.push(`${other}: Berth has no service mesh`)
  const port = fields.port === undefined || fields.port === null ? 0 : fields.port
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535)
    problems.push('Port: 0 to 65535')
  const address = text(fields.address) || context.callerAddress.replace(/^::ffff:/, '')
  if (canonicalAddress(address) === undefined && !/^[A-Za-z0-9.-]{1,253}$/.test(address))
    problems.push(`Address: ${JSON.stringify(address.slice(0, 80))} is neither an address nor a name`)
  const tags = readTags(fields.tags, problems)
  const meta = readMeta(fields.meta, problems)
  const listed = [fields.check, ...(Array.isArray(fields.checks) ? fields.checks : [])].filter(
    (each) => !isNothing(each),
  )
  if (listed.length > limits.checks) problems.push(`Checks: at most ${limits.checks}`)
  const checks = listed.flatMap((each, place) => {
    const own = `service:${id}${listed.length > 1 ? `:${place + 1}` : ''}`
    const read = readCheck(each, { id: own, name: `Service '${name}' check` }, context.now)
    if ('value' in read) return [read.value]
    problems.push(...read.problems)
    return []
  })
  if (new Set(checks.map((each) => each.id)).size < checks.length) problems.push('Checks: two have one CheckID')
  if (problems.length > 0) return { problems }
  const { now: updatedAt, by: updatedBy } = context
  return { value: { id, name, address, port: port as number, tags, meta, checks, updatedAt, updatedBy } }
}

/** `Check` of a registration, or what `/v1/agent/check/register` takes. `own`: what it is called unless it says so. */
export function readCheck(
  body: unknown,
  own: { readonly id: string; readonly name: string },
  now: number,
): ReadRegistration<RegisteredCheck> {
  const fields = fieldsOf(body)
  if (fields === undefined) return { problems: ['Check: a JSON object is expected'] }
  const problems: string[] = []
  const ran = ranByAgent.find((each) => !isNothing(fields[each]))
  if (ran !== undefined)
    problems.push(
      `Check: Berth runs no checks of its own (${ran}) for services that are registered; give it a TTL and say by /v1/agent/check/pass that it is well`,
    )
  const ttlMs = durationOf(fields.ttl, 'TTL', problems)
  const asked = durationOf(fields.deregistercriticalserviceafter, 'DeregisterCriticalServiceAfter', problems)
  const status = text(fields.status) || 'critical'
  if (!statuses.includes(status))
    problems.push(`Status: ${JSON.stringify(status)} is not one of ${statuses.join(', ')}`)
  const id = text(fields.checkid) || text(fields.id) || own.id
  if (id.length > limits.id || /\p{Surrogate}/u.test(id)) problems.push(`CheckID: at most ${limits.id} characters`)
  if (problems.length > 0) return { problems }
  const check: RegisteredCheck = {
    ...{
      id,
      name: text(fields.name) || own.name,
      notes: text(fields.notes),
      status: 'passing',
      output: '',
      saidAt: now,
    },
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(asked === undefined ? {} : { deregisterAfterMs: Math.max(asked, minDeregisterMs) }),
  }
  return { value: withStatus(check, { status: status as CheckStatus, output: text(fields.output) }, now) }
}

/** By their names in lower case, without underscores. */
export function fieldsOf(body: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [key.toLowerCase().replaceAll('_', ''), value]))
}

const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, limits.text) : '')

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0)

function readTags(value: unknown, problems: string[]): readonly string[] {
  if (value === undefined || value === null) return []
  const isList = Array.isArray(value) && value.every((each) => typeof each === 'string' && each.length <= limits.text)
  if (isList && value.length <= limits.tags) return [...new Set(value as string[])]
  problems.push(`Tags: at most ${limits.tags} texts are expected`)
  return []
}

function readMeta(value: unknown, problems: string[]): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {}
  const isMap = typeof value === 'object' && !Array.isArray(value)
  const entries = isMap ? Object.entries(value) : []
  const isGood = ([key, each]: [string, unknown]) =>
    /^[A-Za-z0-9_-]{1,128}$/.test(key) && typeof each === 'string' && each.length <= limits.text
  if (isMap && entries.length <= limits.meta && entries.every(isGood)) return Object.fromEntries(entries)
  problems.push(`Meta: at most ${limits.meta} texts by names of letters, digits, dashes and underscores are expected`)
  return {}
}

function durationOf(value: unknown, field: string, problems: string[]): number | undefined {
  if (isNothing(value)) return undefined
  const ms = typeof value === 'string' ? parseGoDuration(value) : undefined
  if (ms !== undefined && ms >= 1) return ms
  problems.push(`${field}: write a time such as 10s or 1m30s`)
  return undefined
}
