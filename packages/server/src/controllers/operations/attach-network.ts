import {
  attachProblem,
  BerthError,
  containsAddress,
  type EventType,
  type Instance,
  maxNetworks,
  type NetworkAttachment,
  parseBlock,
  sliceOf,
} from '@berth/core'
import { networksOn } from '../../lans/lan-nodes.ts'
import type { RecordTransaction, State } from '../../records/index.ts'
import { specOfInstance } from '../../schedule/spec-of-instance.ts'
import { hasEnded } from '../has-ended.ts'
import type { CallContext } from '../operations.ts'
import { requireInstance } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

/** It is in another Docker network of its node from now on, as long as it lives. Asked again nothing changes. */
export async function attachNetwork(
  { records, state }: OperationsContext,
  id: string,
  wanted: NetworkAttachment,
  call: CallContext,
): Promise<Instance> {
  const decide = (tx: RecordTransaction): Instance => {
    const instance = requireAttachable(state, id, wanted)
    const { networks = [], node } = instance
    const same = networks.find(({ name }) => name === wanted.name)
    if (same !== undefined && (wanted.address === undefined || same.address === wanted.address)) return instance
    refuseTaken(state, instance, wanted)
    const others = networks.filter(({ name }) => name !== wanted.name)
    if (others.length >= maxNetworks)
      throw new BerthError(
        'attach.too-many',
        `${what(id, wanted)}: it is in ${others.length} networks, more are not possible`,
      )
    const next = { ...instance, networks: [...others, wanted].sort((a, b) => (a.name < b.name ? -1 : 1)) }
    tx.put('instances', next, { ifUnchanged: true })
    const where = wanted.address === undefined ? '' : ` at ${wanted.address}`
    tx.event(
      eventOf(instance, 'instance.attached', `${id} is to be in Docker network ${wanted.name} of ${node}${where}`),
    )
    return next
  }
  return (await records.commit(call.actor, decide, call)).value
}

export async function detachNetwork(
  { records, state }: OperationsContext,
  id: string,
  network: string,
  call: CallContext,
): Promise<Instance> {
  const decide = (tx: RecordTransaction): Instance => {
    const instance = requireInstance(state, id)
    const { networks = [], ...rest } = instance
    const left = networks.filter(({ name }) => name !== network)
    if (left.length === networks.length) throw notAttached(instance, network)
    if (specOfInstance(state, instance)?.networks?.includes(network) === true)
      throw new BerthError(
        'attach.of-entrypoint',
        `detach ${id} from ${network}: its entrypoint names it; take it out of \`networks\` in berth.yaml and deploy`,
      )
    const next = left.length === 0 ? rest : { ...rest, networks: left }
    tx.put('instances', next, { ifUnchanged: true })
    tx.event(eventOf(instance, 'instance.detached', `${id} is to be in Docker network ${network} no more`))
    return next
  }
  return (await records.commit(call.actor, decide, call)).value
}

const what = (id: string, { name }: NetworkAttachment): string => `attach ${id} to ${name}`

function requireAttachable(state: State, id: string, wanted: NetworkAttachment): Instance {
  const instance = requireInstance(state, id)
  const { node, network, unplaced, stopReason } = instance
  if (node === undefined || instance.desired === 'stop' || hasEnded(state, instance))
    throw new BerthError(
      'instance.not-running',
      `${what(id, wanted)}: it does not run (${unplaced ?? stopReason ?? 'it has ended'})`,
    )
  const problem = attachProblem(wanted.name, network)
  if (problem !== undefined) throw new BerthError('attach.impossible', `${what(id, wanted)}: ${problem}`)
  const told = state.nodeStatuses.get(node)?.dockerNetworks
  const dockerNetworks = told === undefined ? undefined : networksOn(state, node, told)
  if (dockerNetworks?.includes(wanted.name) !== true) throw noNetwork(instance, wanted, dockerNetworks, state.lans)
  refuseElsewhere(state, id, node, wanted)
  return instance
}

function noNetwork(
  { id, node }: Instance,
  wanted: NetworkAttachment,
  known: readonly string[] | undefined,
  lans: Pick<State['lans'], 'has'>,
): BerthError {
  const next =
    known === undefined
      ? 'its agent does not say which it has: upgrade it (berth node upgrade)'
      : `it has ${known.length === 0 ? 'none' : known.join(', ')}; ${lans.has(wanted.name) ? `why: berth net inspect ${wanted.name}` : `make it there (docker network create ${wanted.name}), it is seen within half a minute`}`
  return new BerthError('attach.no-network', `${what(id, wanted)}: ${node} has no such Docker network, ${next}`)
}

/** Of a network that several nodes have, each gives addresses of its own slice only. */
function refuseElsewhere(state: State, id: string, node: string, wanted: NetworkAttachment): void {
  const lan = state.lans.get(wanted.name)
  const slice = lan === undefined ? undefined : sliceOf(lan, node)
  if (slice === undefined || wanted.address === undefined) return
  if (containsAddress(parseBlock(slice), wanted.address)) return
  throw new BerthError(
    'attach.address-elsewhere',
    `${what(id, wanted)}: ${wanted.address} is not ${node}'s to give, which has ${slice} of that network; choose an address of it, or none`,
    { details: { slice } },
  )
}

/** Of one network, an address is one instance's. Docker alone knows of others. */
function refuseTaken(state: State, { id, node = '' }: Instance, wanted: NetworkAttachment): void {
  if (wanted.address === undefined) return
  const holder = state.instances
    .byNode(node)
    .find(
      (each) =>
        each.id !== id &&
        !hasEnded(state, each) &&
        each.networks?.some(({ name, address }) => name === wanted.name && address === wanted.address),
    )
  if (holder !== undefined)
    throw new BerthError(
      'attach.address-taken',
      `${what(id, wanted)}: ${wanted.address} is that of ${holder.id} there; take another one, or detach that (berth net detach ${holder.id} ${wanted.name})`,
      { details: { instance: holder.id } },
    )
}

function notAttached({ id, networks = [] }: Instance, network: string): BerthError {
  const others =
    networks.length === 0 ? 'it is in none beside its own' : `it is in ${networks.map(({ name }) => name).join(', ')}`
  return new BerthError('attach.not-found', `detach ${id} from ${network}: it is not in that network; ${others}`)
}

const eventOf = ({ app, pool, id, node }: Instance, type: EventType, message: string) => ({
  type,
  subject: { app, pool, instance: id, ...(node === undefined ? {} : { node }) },
  message,
})
