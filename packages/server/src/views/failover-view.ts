import type { FailoverAddressView, FailoverNodeView } from '@berth/api'
import { candidatesFor, type FailoverAddress, type FailoverNode, failoverWay } from '@berth/core'
import { type FailoverPlans, routesMode } from '../failover/failover-plans.ts'
import type { State } from '../records/index.ts'
import { defined } from './view-context.ts'

interface FailoverContext {
  readonly state: State
  readonly isOnline: (node: string) => boolean
}

/** Two may say for a moment that they have it. */
const settledMs = 10_000

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
    problems: problemsOf(state, { by, nodes, site }, now),
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
  if (!isOnline(name)) return { name, state: 'away', message: 'its agent is away', preferred }
  if (status?.abilities?.includes('failover') !== true)
    return {
      name,
      state: 'problem',
      message: `its agent knows of no failover addresses: berth node upgrade ${name}`,
      preferred,
    }
  const said = status.failover?.find((each) => each.address === address)
  if (said === undefined) return { name, state: 'waits', message: 'its agent is taking it up', preferred }
  return { name, state: said.state, preferred, ...defined({ since: said.since, message: said.why }) }
}

function problemsOf(
  state: State,
  { by, nodes, site }: Pick<FailoverAddressView, 'by' | 'nodes' | 'site'>,
  now: number,
): string[] {
  const whose = site === undefined ? '' : ` of ${site}`
  if (nodes.length === 0) return [`no node is a gateway${whose}: berth node label NODE gateway=true`]
  const problems: string[] = []
  const holders = nodes.filter((node) => node.state === 'holds')
  if (holders.length === 0) problems.push(`nobody has it: ${nodes.map(whyNot).join('; ')}`)
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
