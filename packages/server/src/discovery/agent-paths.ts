import { BerthError, type CheckStatus, registeredEntry } from '@berth/core'
import { requireRole } from '../auth/identity.ts'
import { type Answer, type ConsulCall, isSet, json, readBody, text } from './consul-call.ts'
import type { Registrar, Registrations } from './registrations.ts'
import { filterOf } from './selection.ts'
import type { Shapes } from './shapes.ts'

const maxBodyBytes = 262_144
const said: Readonly<Record<string, CheckStatus>> = { pass: 'passing', warn: 'warning', fail: 'critical' }

export interface AgentPaths {
  readonly registrations: Registrations
  readonly shapes: Shapes
}

/** `/v1/agent/…` of services that programs register; undefined: another path. */
export function agentAnswer(paths: AgentPaths, call: ConsulCall): Promise<Answer> | undefined {
  const [area, kind, what, ...rest] = call.words
  if (area !== 'agent') return undefined
  const id = rest.join('/')
  if (call.method === 'PUT') return change(paths, call, `${kind}/${what}`, id)
  if (call.method !== 'GET') return undefined
  const answer = read(paths, call, kind, [what, ...rest].filter((each) => each !== undefined).join('/'))
  if (answer !== undefined) requireRole(call.identity, 'viewer', 'look at services')
  return answer === undefined ? undefined : Promise.resolve(answer)
}

function read({ registrations, shapes }: AgentPaths, { query }: ConsulCall, kind = '', id = ''): Answer | undefined {
  const filter = filterOf(query.get('filter') ?? '')
  const entries = registrations.all().map((each) => ({ ...registeredEntry(each), modifyIndex: 1 }))
  const byId = <T>(items: readonly (readonly [string, T])[]): Answer =>
    json(Object.fromEntries(items.filter(([, item]) => filter(item))))
  if (kind === 'services' && id === '') return byId(entries.map((entry) => [entry.id, shapes.service(entry)]))
  if (kind === 'checks' && id === '')
    return byId(entries.flatMap((entry) => shapes.serviceChecks(entry).map((each) => [each.CheckID, each] as const)))
  if (kind !== 'service') return undefined
  registrations.require(id)
  const entry = entries.find((each) => each.id === id)
  return entry === undefined
    ? undefined
    : json({ ...shapes.service(entry), ContentHash: '', Datacenter: shapes.siteOf(entry) })
}

/** Empty, as Consul answers. */
const done = text('')

function change(paths: AgentPaths, call: ConsulCall, what: string, id: string): Promise<Answer> | undefined {
  const { registrations } = paths
  const { identity, query } = call
  const registrar: Registrar = { actor: identity.actor, address: call.address() }
  const act = async (work: () => Promise<void>): Promise<Answer> => {
    requireRole(identity, 'deployer', 'register or deregister a service')
    await work()
    return done
  }
  switch (what) {
    case 'service/register':
      return act(async () => registrations.register(await jsonBody(call), registrar))
    case 'service/deregister':
      return act(() => registrations.deregister(id, registrar))
    case 'service/maintenance':
      return act(() => registrations.maintain(id, isSet(query, 'enable'), query.get('reason') ?? ''))
    case 'check/register':
      return act(async () => registrations.registerCheck(await jsonBody(call)))
    case 'check/deregister':
      return act(() => registrations.deregisterCheck(id))
    case 'check/pass':
    case 'check/warn':
    case 'check/fail':
      return act(() =>
        registrations.say(id, said[what.slice('check/'.length)] ?? 'critical', outputOf(query.get('note'))),
      )
    case 'check/update':
      return act(async () => update(registrations, id, await jsonBody(call)))
    default:
      return undefined
  }
}

async function update(registrations: Registrations, id: string, body: unknown): Promise<void> {
  const { Status: status, Output: output } = (body ?? {}) as { Status?: unknown; Output?: unknown }
  if (status !== 'passing' && status !== 'warning' && status !== 'critical')
    throw new BerthError('registration.invalid', 'Invalid check status: Status is passing, warning or critical')
  await registrations.say(id, status, outputOf(output))
}

/** Consul keeps 4 KB of it. */
const outputOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 4_096) : '')

async function jsonBody({ body: sent }: ConsulCall): Promise<unknown> {
  const body = (await readBody(sent, maxBodyBytes)).toString()
  try {
    return JSON.parse(body)
  } catch {
    throw new BerthError('registration.invalid', 'Request decode failed: the body is no JSON')
  }
}
