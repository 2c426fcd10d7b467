import {
  BerthError,
  bridgeOf,
  type EventType,
  eachPort,
  hostAddressProblem,
  type Instance,
  type InstancePort,
  type InstancePorts,
  lanOf,
  portsText,
  portText,
} from '@berth/core'
import type { RecordTransaction, State } from '../../records/index.ts'
import { hasEnded } from '../has-ended.ts'
import type { CallContext } from '../operations.ts'
import { requireInstance } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { portRouteHolder } from './port-conflicts.ts'

const maxPublished = 32

/**
 * Ports of the instance's node lead to it from now on, as long as it lives: all of them or none. Asked again nothing changes. `listening`: ports at
 * which programs of the node itself listen, as far as that is known.
 */
export async function publishPort(
  { records, state, now }: OperationsContext,
  id: string,
  wanted: InstancePorts,
  call: CallContext,
  listening: readonly number[] = [],
): Promise<Instance> {
  const decide = (tx: RecordTransaction): Instance => {
    const instance = requirePublishable(state, id, wanted)
    const { published = [], node = '' } = instance
    const fresh = eachPort(wanted).filter((port) => !published.some((each) => isSame(each, port)))
    if (fresh.length === 0) return instance
    for (const port of fresh) {
      refuseTaken(state, instance, port)
      refuseRouted(state, instance, port)
    }
    const heard = fresh.find(({ hostPort }) => listening.includes(hostPort))
    if (heard !== undefined) throw programListens(instance, wanted, heard)
    if (published.length + fresh.length > maxPublished) throw tooMany(id, wanted, published.length)
    const next = { ...instance, published: [...published, ...fresh].sort((a, b) => a.hostPort - b.hostPort) }
    // A placement that is being decided, and would give the port to another, fails.
    const fence = state.fences.get(node) ?? { node, updatedAt: now() }
    tx.put('fences', { ...fence, updatedAt: now() }, { ifUnchanged: true })
    tx.put('instances', next, { ifUnchanged: true })
    tx.event(
      eventOf(instance, 'instance.published', `port ${portsText(wanted)} of ${node} leads to ${id}:${wanted.port}`),
    )
    return next
  }
  return (await records.commit(call.actor, decide, call)).value
}

export async function unpublishPort(
  { records, state }: OperationsContext,
  id: string,
  port: Omit<InstancePorts, 'port'>,
  call: CallContext,
): Promise<Instance> {
  const decide = (tx: RecordTransaction): Instance => {
    const instance = requireInstance(state, id)
    const { published = [], ...rest } = instance
    const texts = eachPort({ ...port, port: port.hostPort }).map(portText)
    const missing = texts.find((text) => !published.some((each) => portText(each) === text))
    if (missing !== undefined) throw notPublished(instance, missing)
    const left = published.filter((each) => !texts.includes(portText(each)))
    const next = left.length === 0 ? rest : { ...rest, published: left }
    tx.put('instances', next, { ifUnchanged: true })
    tx.event(
      eventOf(instance, 'instance.unpublished', `port ${portsText(port)} of ${instance.node} leads to ${id} no more`),
    )
    return next
  }
  return (await records.commit(call.actor, decide, call)).value
}

const isSame = (a: InstancePort, b: InstancePort): boolean =>
  portText(a) === portText(b) && a.port === b.port && a.hostAddress === b.hostAddress

function requirePublishable(state: State, id: string, wanted: InstancePorts): Instance {
  const instance = requireInstance(state, id)
  const what = `publish ${portsText(wanted)} for ${id}`
  if (instance.node === undefined || instance.desired === 'stop' || hasEnded(state, instance))
    throw new BerthError(
      'instance.not-running',
      `${what}: it does not run (${instance.unplaced ?? instance.stopReason ?? 'it has ended'})`,
    )
  if (bridgeOf(instance.network) !== undefined)
    throw new BerthError(
      'publish.bridge-network',
      `${what}: with \`network: ${instance.network}\` Docker publishes its ports when its container is made; write \`hostPort\` in berth.yaml and deploy`,
    )
  if (lanOf(instance.network) !== undefined)
    throw new BerthError(
      'publish.lan-network',
      `${what}: with \`network: ${instance.network}\` it is reached at its own address there: no port of its node leads to it`,
    )
  if (instance.network === 'host')
    throw new BerthError(
      'publish.host-network',
      `${what}: with \`network: host\` its ports are those of ${instance.node} already`,
    )
  requireAddress(state, instance.node, wanted, what)
  return instance
}

/** An agent of a version before would let the port lead there by every address. */
function requireAddress(
  state: State,
  node: string,
  { hostAddress, hostPort, port, count = 1 }: InstancePorts,
  what: string,
): void {
  const beyond = Math.max(hostPort, port) + count - 1
  if (beyond > 65_535) throw new BerthError('publish.invalid', `${what}: port ${beyond} is out of range (1 to 65535)`)
  if (hostAddress === undefined) return
  const problem = hostAddressProblem(hostAddress)
  if (problem !== undefined) throw new BerthError('publish.invalid', `${what}: ${problem}`)
  if (state.nodeStatuses.get(node)?.abilities?.includes('publish-address') !== true)
    throw new BerthError(
      'publish.old-agent',
      `${what}: the agent of ${node} would publish it at every address; upgrade it first (berth node upgrade ${node})`,
    )
}

/** A port counts as taken whatever its protocol and address, as it does when instances are placed. */
function refuseTaken(state: State, instance: Instance, { hostPort, port }: InstancePort): void {
  const { id, node = '' } = instance
  const holder = state.instances
    .byNode(node)
    .find((each) => !hasEnded(state, each) && hostPortsOf(each).includes(hostPort))
  if (holder !== undefined)
    throw new BerthError(
      'publish.port-taken',
      `publish ${hostPort}:${port} for ${id}: port ${hostPort} of ${node} is ${holder.id === id ? 'its own already' : `that of ${holder.id}`}; take another one, or withdraw that (berth unpublish ${holder.id} ${hostPort})`,
      { details: { node, hostPort, instance: holder.id } },
    )
}

/** A gateway's ports that lead to others are asked before. */
function refuseRouted(state: State, { id, node = '' }: Instance, { hostPort, port }: InstancePort): void {
  const owner = state.nodes.get(node)?.labels.gateway === 'true' ? portRouteHolder(state, hostPort) : undefined
  if (owner === undefined) return
  throw new BerthError(
    'publish.port-taken',
    `publish ${hostPort}:${port} for ${id}: ${node} is a gateway, and port ${hostPort} of the gateways is a route of ${owner}; take another one`,
    { details: { node, hostPort, owner } },
  )
}

const programListens = ({ id, node = '' }: Instance, wanted: InstancePorts, { hostPort }: InstancePort): BerthError =>
  new BerthError(
    'publish.program-listens',
    `publish ${portsText(wanted)} for ${id}: a program of ${node} itself listens at port ${hostPort}, which stays its; take another one, or end that program`,
    { details: { node, hostPort } },
  )

const tooMany = (id: string, wanted: InstancePorts, before: number): BerthError =>
  new BerthError(
    'publish.too-many',
    `publish ${portsText(wanted)} for ${id}: ${before} ports are published for it, more than ${maxPublished} are not possible`,
  )

const hostPortsOf = ({ hostPorts = [], published = [] }: Instance): readonly number[] => [
  ...hostPorts,
  ...published.map(({ hostPort }) => hostPort),
]

function notPublished({ id, published = [] }: Instance, port: string): BerthError {
  const others = published.length === 0 ? 'none is' : `these are: ${published.map(portText).join(', ')}`
  return new BerthError('publish.not-found', `unpublish ${port} of ${id}: it is not published; ${others}`)
}

const eventOf = ({ app, pool, id, node }: Instance, type: EventType, message: string) => ({
  type,
  subject: { app, pool, instance: id, ...(node === undefined ? {} : { node }) },
  message,
})
