import type { FlowGroups, FlowsReport, FlowView, LiveFlows } from '@berth/api'
import {
  type AddressOwner,
  decidePacket,
  type Flow,
  firstPacket,
  groupFlows,
  isProbe,
  type JudgedFlow,
  mergeFlows,
  type PacketDecision,
  type PolicyWorld,
} from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'
import type { State } from '../records/index.ts'
import { askNodes } from './ask-nodes.ts'
import { decisionView } from './decision-view.ts'
import { addressesOf, nodesToAsk, ownersOf } from './net-ends.ts'
import { policyWorld } from './net-world.ts'

export interface AskingOptions {
  readonly state: State
  readonly agents: Pick<AgentLinks, 'request'>
  readonly signal: AbortSignal
}

export interface FlowsQuery {
  readonly of?: string | undefined
  readonly limit?: number | undefined
  /** With probes that are over. */
  readonly probes?: boolean | undefined
}

const usualLimit = 1_000

/** Who talks to whom, and what the rules say about each. Throws `net.unknown-end`, `net.no-instance`. */
export async function liveFlows(query: FlowsQuery, options: AskingOptions): Promise<LiveFlows> {
  const { limit = usualLimit } = query
  const { named, more, probes, silent } = await namedFlows(query, options)
  const world = policyWorld(options.state)
  named.sort((a, b) => compare(nameOf(a), nameOf(b)))
  return {
    flows: named.slice(0, limit).map(({ flow, from, to }) => flowView(flow, from, to, world)),
    more: more + Math.max(0, named.length - limit),
    ...{ probes, silent },
  }
}

/** The same by entrypoint, port and what the rules say, counted. Throws `net.unknown-end`, `net.no-instance`. */
export async function liveFlowGroups(query: FlowsQuery, options: AskingOptions): Promise<FlowGroups> {
  const { limit = usualLimit } = query
  const { named, more, probes, silent } = await namedFlows(query, options)
  const world = policyWorld(options.state)
  const groups = groupFlows(named.map((each) => judged(each, world)))
  const left = groups.slice(limit).reduce((sum, { flows }) => sum + flows, 0)
  return { groups: groups.slice(0, limit), flows: named.length, more: more + left, probes, silent }
}

interface NamedFlow {
  readonly flow: Flow
  readonly from: AddressOwner
  readonly to: AddressOwner
}

async function namedFlows({ of, probes: isWithProbes = false }: FlowsQuery, options: AskingOptions) {
  const { state } = options
  const { flows, more, silent } = await askFlows(options, addressesOf(state, of))
  const owners = ownersOf(state)
  const all = flows.map((flow): NamedFlow => ({ flow, from: owners(flow.source), to: owners(flow.destination) }))
  const named = isWithProbes ? all : all.filter(({ flow, from, to }) => !isProbe(flow, from, to))
  return { named, more, probes: all.length - named.length, silent }
}

function judged({ flow, from, to }: NamedFlow, world: PolicyWorld): JudgedFlow {
  const { allowed, outbound, inbound } = decisionsOf(decidePacket(firstPacket(flow), world), from, to, world)
  const message = [outbound, inbound].flatMap((each) => (each.allowed ? [] : [each.message])).join('; ')
  return { flow, from, to, allowed, message }
}

const nameOf = ({ flow, from, to }: NamedFlow) =>
  `${from.name} ${to.name} ${flow.protocol} ${String(flow.destinationPort ?? 0).padStart(5, '0')} ${flow.sourcePort}`
const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

/** Those that nodes tell, each once. */
export async function askFlows(
  { state, agents, signal }: AskingOptions,
  addresses?: ReadonlySet<string>,
): Promise<Pick<LiveFlows, 'more' | 'silent'> & { readonly flows: readonly Flow[] }> {
  const body = addresses === undefined ? {} : { of: [...addresses] }
  const request = { method: 'POST', path: '/v1/flows', body } as const
  const nodes = nodesToAsk(state, addresses)
  const { answers, silent } = await askNodes<FlowsReport>({ agents, nodes, request, signal })
  const flows = mergeFlows(answers.flatMap(({ answer }) => answer.flows))
  return { flows, more: answers.reduce((sum, { answer }) => sum + answer.more, 0), silent }
}

/** An end as the API shows it. */
export const endView = ({ kind, name, address, node, entrypoint }: AddressOwner): FlowView['from'] => ({
  ...{ kind, name, address },
  ...(node === undefined ? {} : { node }),
  ...(entrypoint === undefined ? {} : { entrypoint }),
})

function flowView(flow: Flow, from: AddressOwner, to: AddressOwner, world: PolicyWorld): FlowView {
  const { protocol, sourcePort, destinationPort: port, state, isAnswered: answered, sentTo, packets, bytes } = flow
  return {
    ...{ from: endView(from), to: endView(to), protocol, answered },
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(port === undefined ? {} : { port }),
    ...(state === undefined ? {} : { state }),
    ...(sentTo === undefined ? {} : { sentTo }),
    ...(packets === undefined ? {} : { packets }),
    ...(bytes === undefined ? {} : { bytes }),
    ...decisionsOf(decidePacket(firstPacket(flow), world), from, to, world),
  }
}

export function decisionsOf(
  { allowed, outbound, inbound }: PacketDecision,
  from: AddressOwner,
  to: AddressOwner,
  world: PolicyWorld,
): Pick<FlowView, 'allowed' | 'outbound' | 'inbound'> {
  const endOf = ({ name, address }: AddressOwner) => ({ name, profiles: world.endpoints.get(address)?.profiles ?? [] })
  const exists = (name: string): boolean => world.profiles.has(name)
  return {
    allowed,
    outbound: decisionView(outbound, endOf(from), 'out', exists),
    inbound: decisionView(inbound, endOf(to), 'in', exists),
  }
}
