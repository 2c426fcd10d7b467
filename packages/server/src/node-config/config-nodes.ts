import {
  type ConfigRollout,
  type ConfigVersion,
  configOfNode,
  matchesAnyRule,
  type Node,
  type NodeConfig,
  type NodeConfigSpec,
  type RolloutNode,
} from '@berth/core'
import { groupOfNode } from '../groups/group-use.ts'
import type { State } from '../records/index.ts'

/** Version 0: nothing. */
const nothing: Pick<NodeConfigSpec, 'rules'> = { rules: [] }

export const newestVersion = (state: State): ConfigVersion | undefined => state.configVersions.newest()[0]
export const newestRollout = (state: State): ConfigRollout | undefined => state.configRollouts.newest()[0]

/** What a version says about a node. */
export const nodeConfigAt = (state: State, version: number, node: Node): NodeConfig =>
  configOfNode(state.configVersions.find(version)?.spec ?? nothing, configured(node))

/** Nodes that a version has something for, or that had something of one before it. */
export const concernedNodes = (state: State, spec: Pick<NodeConfigSpec, 'rules'>): Node[] =>
  state.nodes
    .all()
    .filter((node) => isNodeConcerned(state, spec, node))
    .sort((a, b) => (a.name < b.name ? -1 : 1))

export const isNodeConcerned = (state: State, spec: Pick<NodeConfigSpec, 'rules'>, node: Node): boolean =>
  state.nodeConfigs.has(node.name) || matchesAnyRule(spec, configured(node))

const configured = (node: Node) => ({ labels: node.labels, group: groupOfNode(node) })

/** A node as the rollout sees it. */
export function rolloutNode(state: State, { name }: Node, version: number, online: boolean): RolloutNode {
  const record = state.nodeConfigs.get(name)
  const report = state.nodeStatuses.get(name)?.config
  const drifted = report?.version === version && (report.drift ?? []).length > 0
  if (record?.rollout !== version) return { name, online, drifted }
  return { name, online, drifted, state: record.state, since: record.since }
}
