import { BerthError, bridgeOf, type Instance, type InstancePort, portText } from '@berth/core'
import type { RecordTransaction, State } from '../../records/index.ts'
import { hasEnded } from '../has-ended.ts'
import type { CallContext } from '../operations.ts'
import { requireInstance } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

const maxPublished = 32

/** A port of the instance's node leads to it from now on, as long as it lives. Asked again nothing changes. */
export async function publishPort(
  { records, state, now }: OperationsContext,
  id: string,
  wanted: InstancePort,
  call: CallContext,
): Promise<Instance> {
  const decide = (tx: RecordTransaction): Instance => {
    const instance = requirePublishable(state, id, wanted)
    const { published = [], node = '' } = instance
    const same = published.find((each) => portText(each) === portText(wanted))
    if (same?.port === wanted.port) return instance
    refuseTaken(state, instance, wanted)
    const next = { ...instance, published: [...published, wanted].sort((a, b) => a.hostPort - b.hostPort) }
    // A placement that is being decided, and would give the port to another, fails.
    const fence = state.fences.get(node) ?? { node, updatedAt: now() }
    tx.put('fences', { ...fence, updatedAt: now() }, { ifUnchanged: true })
    tx.put('instances', next, { ifUnchanged: true })
    tx.event(
      eventOf(instance, 'instance.published', `port ${portText(wanted)} of ${node} leads to ${id}:${wanted.port}`),
    )
    return next
  }
  return (await records.commit(call.actor, decide, call)).value
}

export async function unpublishPort(
  { records, state }: OperationsContext,
  id: string,
  port: Pick<InstancePort, 'hostPort' | 'protocol'>,
  call: CallContext,
): Promise<Instance> {
  const decide = (tx: RecordTransaction): Instance => {
    const instance = requireInstance(state, id)
    const { published = [], ...rest } = instance
    const left = published.filter((each) => portText(each) !== portText(port))
    if (left.length === published.length) throw notPublished(instance, port)
    const next = left.length === 0 ? rest : { ...rest, published: left }
    tx.put('instances', next, { ifUnchanged: true })
    tx.event(
      eventOf(instance, 'instance.unpublished', `port ${portText(port)} of ${instance.node} leads to ${id} no more`),
    )
    return next
  }
  return (await records.commit(call.actor, decide, call)).value
}

function requirePublishable(state: State, id: string, wanted: InstancePort): Instance {
  const instance = requireInstance(state, id)
  const what = `publish ${portText(wanted)} for ${id}`
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
  if (instance.network === 'host')
    throw new BerthError(
      'publish.host-network',
      `${what}: with \`network: host\` its ports are those of ${instance.node} already`,
    )
  return instance
}

/** A port counts as taken whatever its protocol, as it does when instances are placed. */
function refuseTaken(state: State, instance: Instance, { hostPort, port }: InstancePort): void {
  const { id, node = '', published = [] } = instance
  const holder = state.instances
    .byNode(node)
    .find((each) => !hasEnded(state, each) && hostPortsOf(each).includes(hostPort))
  if (holder !== undefined)
    throw new BerthError(
      'publish.port-taken',
      `publish ${hostPort}:${port} for ${id}: port ${hostPort} of ${node} is ${holder.id === id ? 'its own already' : `that of ${holder.id}`}; take another one, or withdraw that (berth unpublish ${holder.id} ${hostPort})`,
      { details: { node, hostPort, instance: holder.id } },
    )
  if (published.length >= maxPublished)
    throw new BerthError(
      'publish.too-many',
      `publish ${hostPort}:${port} for ${id}: ${maxPublished} ports are published for it, more are not possible`,
    )
}

const hostPortsOf = ({ hostPorts = [], published = [] }: Instance): readonly number[] => [
  ...hostPorts,
  ...published.map(({ hostPort }) => hostPort),
]

function notPublished({ id, published = [] }: Instance, port: Pick<InstancePort, 'hostPort' | 'protocol'>): BerthError {
  const others = published.length === 0 ? 'none is' : `these are: ${published.map(portText).join(', ')}`
  return new BerthError('publish.not-found', `unpublish ${portText(port)} of ${id}: it is not published; ${others}`)
}

const eventOf = ({ app, pool, id, node }: Instance, type: string, message: string) => ({
  type,
  subject: { app, pool, instance: id, ...(node === undefined ? {} : { node }) },
  message,
})
