import { setTimeout as delay } from 'node:timers/promises'
import type { AddressCheck } from '@berth/api'
import {
  type AddressClaim,
  type AddressFinding,
  type AddressPool,
  type AddressRelease,
  type AddressReport,
  BerthError,
  compareAddresses,
  findingKey,
} from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'
import { askNodes, type NodeAnswers } from '../policy/ask-nodes.ts'
import type { State } from '../records/index.ts'
import { ownAddressOf } from './address-history.ts'
import { askForAddresses } from './asked-addresses.ts'

export interface CheckOptions {
  readonly state: State
  readonly pools: readonly AddressPool[]
  readonly agents: Pick<AgentLinks, 'request'>
  readonly signal: AbortSignal
  /** Between two looks: what differs for a moment only is on its way. */
  readonly settleMs: number
}

interface Look {
  readonly findings: readonly AddressFinding[]
  readonly compared: AddressCheck['compared']
  readonly silent: NodeAnswers<AddressReport>['silent']
}

/** Compares what the store says with what nodes have: one of them, or all. Throws `node.not-found`. */
export async function checkAddresses(node: string | undefined, options: CheckOptions): Promise<AddressCheck> {
  const look = await settledLook(node, options)
  return viewOf(look, new Set())
}

/** The same; then nodes take away what is left over. */
export async function releaseAddresses(node: string | undefined, options: CheckOptions): Promise<AddressCheck> {
  const { agents, signal } = options
  const look = await settledLook(node, options)
  const nodes = new Set(look.findings.flatMap((each) => (each.left === undefined ? [] : (each.node ?? []))))
  const request = { method: 'POST', path: '/v1/network/addresses/release' } as const
  const { answers, silent } = await askNodes<AddressRelease>({ agents, nodes, request, signal })
  const released = new Set(
    answers.flatMap(({ node: of, answer }) => answer.released.map(({ kind, name }) => `${of} ${kind} ${name}`)),
  )
  return viewOf({ ...look, silent: [...look.silent, ...silent] }, released)
}

async function settledLook(node: string | undefined, options: CheckOptions): Promise<Look> {
  const first = await takeLook(node, options)
  if (first.findings.length === 0) return first
  await delay(options.settleMs, undefined, { signal: options.signal })
  const known = new Set(first.findings.map(findingKey))
  const second = await takeLook(node, options)
  return { ...second, findings: second.findings.filter((each) => known.has(findingKey(each))) }
}

async function takeLook(node: string | undefined, { state, pools, agents, signal }: CheckOptions): Promise<Look> {
  const nodes = new Set(node === undefined ? state.nodes.ids() : [node])
  if (node !== undefined && !state.nodes.has(node))
    throw new BerthError('node.not-found', `there is no node ${node}; see: berth node ls`, { details: { node } })
  const { answers, silent } = await askForAddresses({ agents, nodes, signal })
  const reports = new Map(answers.map(({ node: name, answer }) => [name, answer]))
  const claims = claimsOf(state)
  const findings = compareAddresses({ claims, nodes: new Set(state.nodes.ids()), pools, reports })
  const down = answers.flatMap(({ node: name, answer: { engineProblem } }) =>
    engineProblem === undefined ? [] : [{ node: name, message: `its containers were not compared: ${engineProblem}` }],
  )
  return {
    findings: findings.filter((each) => node === undefined || each.node === node),
    compared: {
      nodes: answers.length,
      instances: claims.filter((claim) => reports.has(claim.node)).length,
      containers: answers.reduce((sum, { answer }) => sum + answer.containers.length, 0),
    },
    silent: [...silent, ...down],
  }
}

function claimsOf(state: State): AddressClaim[] {
  return [...state.instances.values()].flatMap((instance): AddressClaim[] => {
    const held = ownAddressOf(instance)
    if (held === undefined) return []
    return [{ ...held, instance: instance.id, isRunning: state.statuses.field(instance.id, 'phase') === 'running' }]
  })
}

const viewOf = ({ findings, compared, silent }: Look, released: ReadonlySet<string>): AddressCheck => ({
  findings: findings.map(({ kind, message, address, node, instance, left }) => ({
    ...{ kind, message, leak: left !== undefined },
    released: left !== undefined && released.has(`${node} ${left.kind} ${left.name}`),
    ...(address === undefined ? {} : { address }),
    ...(node === undefined ? {} : { node }),
    ...(instance === undefined ? {} : { instance }),
  })),
  compared,
  silent: [...silent],
})
