import type { NodeView } from '@berth/api'
import { type FurtherBlock, type Instance, type Node, type NodeStatus, versionProblem } from '@berth/core'
import { twinBlock } from '../addresses/twin-pools.ts'
import { imageRulesOf } from '../images/image-rules.ts'
import { addressProblems } from './address-problems.ts'
import { byHandProblems } from './by-hand-problems.ts'
import { cloudRouteProblems } from './cloud-route-problems.ts'
import { nodeConfigProblems, nodeConfigView } from './node-config-view.ts'
import { portRouteProblems } from './port-route-problems.ts'
import { stayingOn } from './staying.ts'
import { defined, type ViewContext } from './view-context.ts'

const unknownStatus = {
  gateway: false,
  gatewayReloads: undefined,
  failover: undefined,
  cpuMilli: 0,
  memoryBytes: 0,
  diskBytes: 0,
  diskFreeBytes: 0,
  agentVersion: '',
  engineVersion: '',
  kernel: '',
  os: '',
  cgroup: 'v2',
  network: undefined,
  dockerNetworks: undefined,
  endedFiles: undefined,
  upgrade: undefined,
  routes: undefined,
  uplink: undefined,
  problems: ['its agent has not connected yet'],
} as const

/** With what takes longer to find out: of one node that is asked for by its name. */
export function nodeDetail(context: ViewContext, node: Node): NodeView {
  return { ...nodeView(context, node), ...defined({ staying: stayingOn(context, node) }) }
}

export function nodeView(
  { state, isOnline, version = '', whyRefused, saidByAgent, twinProblem }: ViewContext,
  node: Node,
): NodeView {
  const status = state.nodeStatuses.get(node.name) ?? unknownStatus
  const { name, labels, block, address, schedulable, joinedAt, group, speedMilli, taints, resources, drain, images } =
    node
  const { furtherBlocks = [] } = node
  const { gateway, cpuMilli, memoryBytes, diskBytes, diskFreeBytes, agentVersion, engineVersion, kernel, os, cgroup } =
    status
  const config = nodeConfigView(state, node)
  const refusal = isOnline(name) ? undefined : whyRefused?.(node)
  const written: readonly string[] = status.problems
  const said = isOnline(name) ? [] : (saidByAgent?.(name) ?? []).filter((each) => !written.includes(each))
  const instances = state.instances.byNode(name).filter((each) => state.statuses.field(each.id, 'phase') !== 'ended')
  const sum = (of: (instance: Instance) => number | undefined): number =>
    instances.reduce((total, each) => total + (of(each) ?? 0), 0)
  return {
    ...{ name, labels: { ...labels }, block, address, schedulable, joinedAt, online: isOnline(name), gateway },
    ...{ cpuMilli, memoryBytes, diskBytes, diskFreeBytes, agentVersion, engineVersion, kernel, os, cgroup },
    cpuGivenMilli: sum((each) => each.reservedCpuMilli),
    memoryGivenBytes: sum((each) => each.reservedMemoryBytes),
    instances: instances.length,
    problems: [
      ...status.problems,
      ...(refusal === undefined ? [] : [`its agent is refused: ${refusal}`]),
      ...said.map((each) => `its agent has told this server, and not the one that leads: ${each}`),
      ...[twinProblem?.(name), node.certificateProblem, ...versionProblems(status, name, version)].filter(isSaid),
      ...nodeConfigProblems(config),
      ...cloudRouteProblems(state, name),
      ...addressProblems(state, node),
      ...byHandProblems(state, node),
      ...portRouteProblems(state, node),
    ],
    ...defined({
      certificateExpiresAt: node.certificateExpiresAt,
      gatewayReloads: status.gatewayReloads,
      network: status.network,
      dockerNetworks: status.dockerNetworks === undefined ? undefined : [...status.dockerNetworks],
      endedFiles: status.endedFiles,
      upgrade: status.upgrade,
      routes: status.routes,
      failover: status.failover?.map((each) => ({ ...each })),
      uplink: status.uplink,
    }),
    ...defined({ group, speedMilli, drain, config, block6: twinBlock(state, block) }),
    ...(furtherBlocks.length === 0 ? {} : { furtherBlocks: furtherBlocks.map(furtherBlockView) }),
    ...(images === undefined ? {} : { images: { ...images } }),
    imageRules: imageRulesOf(state, name),
    ...(taints === undefined ? {} : { taints: [...taints] }),
    ...(resources === undefined ? {} : { resources: nodeResources(resources) }),
  }
}

const furtherBlockView = ({ block, since, leavingSince }: FurtherBlock) => ({
  ...{ block, since, leaving: leavingSince !== undefined },
})

interface Versions {
  readonly agentVersion: string
  readonly upgrade?: NodeStatus['upgrade'] | undefined
}

function versionProblems({ agentVersion, upgrade }: Versions, name: string, server: string): (string | undefined)[] {
  const back = upgrade?.state === 'rolled-back' && upgrade.to === server && agentVersion !== server
  const problem = back
    ? `its upgrade to ${upgrade.to} was rolled back: ${upgrade.why ?? 'no reason was noted'}`
    : undefined
  return [versionProblem(name, agentVersion, server), problem]
}

const isSaid = (problem: string | undefined): problem is string => problem !== undefined

/** Lists of their own, which a caller may change. */
export const nodeResources = (resources: NonNullable<Node['resources']>): Record<string, number | string[]> =>
  Object.fromEntries(
    Object.entries(resources).map(([name, amount]) => [name, typeof amount === 'number' ? amount : [...amount]]),
  )
