import type { StayingInstance } from '@berth/api'
import type { Instance, Node } from '@berth/core'
import type { Traffic } from '../controllers/traffic.ts'
import type { State } from '../records/index.ts'
import { poolId } from '../records/record-kinds.ts'
import { KeptPlaces } from '../schedule/kept-places.ts'
import { awaitsGateways } from './awaits-gateways.ts'

/** Those that are told of a node: the rest follows when these have left. */
const maxTold = 20

export interface StayingContext {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  readonly traffic: Pick<Traffic, 'gatewaysBehind'>
}

/** Which instances a drained node still has, and what each waits for: those on their way first. Undefined: it is not drained. */
export function stayingOn(context: StayingContext, node: Node): StayingInstance[] | undefined {
  if (node.drain === undefined) return undefined
  const successors = new Map<string, readonly Instance[]>()
  return context.state.instances
    .byNode(node.name)
    .filter(({ id }) => context.state.statuses.field(id, 'phase') !== 'ended')
    .sort((a, b) => Number(a.desired === 'run') - Number(b.desired === 'run') || (a.id < b.id ? -1 : 1))
    .slice(0, maxTold)
    .map((each) => {
      const why = whyItStays(context, node, each, successors)
      const turn = `has its turn later: ${node.drain?.limit ?? 1} at a time`
      return { instance: each.id, why: why ?? turn, later: why === undefined }
    })
}

/** Undefined: it is not its turn yet. */
function whyItStays(
  context: StayingContext,
  node: Node,
  instance: Instance,
  successors: Map<string, readonly Instance[]>,
): string | undefined {
  const { desired, type, app, pool, entrypoint } = instance
  if (desired === 'stop') return whyNotStopped(context, node.name)
  if (desired === 'drain') return whyNotDrained(context, instance)
  if (type === 'job') return 'is a job, which runs to its end'
  const key = `${poolId(app, pool)} ${entrypoint}`
  const others = successors.get(key) ?? onTheWay(context.state, node, instance)
  successors.set(key, others)
  const [next] = others
  return next === undefined ? whyKept(context.state, instance) : whyNotReplaced(context, next)
}

function whyNotDrained({ traffic }: StayingContext, { id }: Instance): string {
  const behind = traffic.gatewaysBehind(id)
  return behind.length === 0 ? 'finishes the requests that it has' : awaitsGateways(behind)
}

/** One that keeps its address leaves only once another node has room for it. */
function whyKept(state: State, { slot, address }: Instance): string | undefined {
  if (slot === undefined || address === undefined) return undefined
  const why = new KeptPlaces(state).whyNowhereElse(address)
  return why === undefined ? undefined : `keeps its address ${address}; ${why}`
}

const whyNotStopped = ({ isOnline }: StayingContext, node: string): string =>
  isOnline(node)
    ? 'has been told to stop'
    : `was told to stop, and ${node} is offline: it is forgotten with it (berth node rm ${node})`

/** Of its entrypoint, elsewhere, and not serving yet: those without a place first. */
function onTheWay(state: State, node: Node, { app, pool, entrypoint }: Instance): Instance[] {
  return state.instances
    .byPool(app, pool)
    .filter((each) => each.entrypoint === entrypoint && each.type === 'service' && each.desired === 'run')
    .filter((each) => each.node !== node.name && state.statuses.field(each.id, 'ready') !== true)
    .sort((a, b) => Number(a.node !== undefined) - Number(b.node !== undefined))
}

function whyNotReplaced({ state }: StayingContext, { id, node, unplaced, waitsFor }: Instance): string {
  if (node === undefined) return `waits for ${id}, which finds no place: ${unplaced ?? 'no node has been chosen yet'}`
  if (waitsFor !== undefined) return `waits for ${id}, whose place on ${node} is kept until ${waitsFor.join(', ')} left`
  const message = state.statuses.get(id)?.message
  return `waits for ${id} on ${node} to be ready${message === undefined ? '' : `: ${message}`}`
}
