import type { FailoverAddressView, FailoverNodeView } from '@berth/api'
import { candidatesFor, type FailoverAddress, type FailoverNode, failoverWay } from '@berth/core'
import { type FailoverPlans, routesMode } from '../failover/failover-plans.ts'
import type { State } from '../records/index.ts'
import { defined } from './view-context.ts'

interface FailoverContext {
  readonly state: State
  readonly isOnline: (node: string) => boolean
}

/** Two may say for a moment that they have it, and for a moment nobody has a new one. */
const settledMs = 10_000
const takingUp = 'its agent is taking it up'

export function failoverView(
  context: FailoverContext,
  plans: Pick<FailoverPlans, 'preferredFor'>,
  record: FailoverAddress,
  now = Date.now(),
): FailoverAddressView {
  const { address, site, by: chosen, createdAt, createdBy } = record
  const { state } = context
  const by = failoverWay(record, routesMode(state)) ?? 'vrrp'
  const preferred = plans.preferredFor(address)
  const nodes = candidatesFor(record, [...state.nodes.values()])
    .map((node) => nodeOf(context, address, node, preferred))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    ...{ address, by, chosen: chosen !== undefined, nodes, createdAt, createdBy },
    ...defined({ site }),
    problems: problemsOf(state, { by, nodes, site, createdAt }, now),
  }
}

function nodeOf(
  { state, isOnline }: FailoverContext,
  address: string,
  { name }: FailoverNode,
  preferredOne: string | undefined,
): FailoverNodeView {
  const preferred = name === preferredOne
  const status = state.nodeStatuses.get(name)
  const said = status?.failover?.find((each) => each.address === address)
  if (!isOnline(name)) {
    const message = said?.state === 'holds' ? 'had it when its agent was last heard' : 'its agent is away'
    return { name, state: 'away', message, preferred }
  }
  if (status?.abilities?.includes('failover') !== true)
    return {
      name,
      state: 'problem',
      message: `its agent knows of no failover addresses: berth node upgrade ${name}`,
      preferred,
    }
  if (said === undefined) return { name, state: 'waits', message: takingUp, preferred }
  return { name, state: said.state, preferred, ...defined({ since: said.since, message: said.why }) }
}

function problemsOf(
  state: State,
  { by, nodes, site, createdAt }: Pick<FailoverAddressView, 'by' | 'nodes' | 'site' | 'createdAt'>,
  now: number,
): string[] {
  const whose = site === undefined ? '' : ` of ${site}`
  if (nodes.length === 0) return [`no node is a gateway${whose}: berth node label NODE gateway=true`]
  const problems: string[] = []
  const holders = nodes.filter((node) => node.state === 'holds')
  const isNew = now - createdAt < settledMs && nodes.some(({ message }) => message === takingUp)
  // keepalived goes on without its agent, so a node that is away may well have it.
  const known = nodes.some(({ state: each }) => each === 'away') ? 'nobody is known to have it' : 'nobody has it'
  if (holders.length === 0 && !isNew) problems.push(`${known}: ${nodes.map(whyNot).join('; ')}`)
  const settled = holders.filter(({ since = now }) => now - since > settledMs)
  if (by === 'vrrp' && settled.length > 1)
    problems.push(
      `${settled.map(({ name }) => name).join(' and ')} have it at once: they do not hear each other (VRRP, IP protocol 112, between their addresses)`,
    )
  if (nodes.length === 1) problems.push(`only ${nodes[0]?.name} may have it: nobody takes it over`)
  const old = nodes.filter(({ name }) => isOld(state, name)).map(({ name }) => name)
  if (old.length > 0 && holders.length > 0)
    problems.push(`agents of ${old.join(', ')} know of no failover addresses: berth node upgrade ${old.join(' ')}`)
  const { peers = [] } = state.routings.get('cluster') ?? {}
  if (by === 'bgp' && peers.length === 0) problems.push('no router is told of it: berth net peer set')
  return problems
}

const isOld = (state: State, node: string): boolean => {
  const status = state.nodeStatuses.get(node)
  return status?.online === true && status.abilities?.includes('failover') !== true
}

const whyNot = ({ name, message = 'it waits' }: FailoverNodeView): string => `${name}: ${message}`
