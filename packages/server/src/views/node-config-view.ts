import type { ConfigVersionDetail, ConfigVersionView, NodeConfigView } from '@berth/api'
import type { ConfigVersion, Node } from '@berth/core'
import { isNodeConcerned, newestRollout } from '../node-config/config-nodes.ts'
import type { State } from '../records/index.ts'
import { defined } from './view-context.ts'

export function configVersionView(
  state: State,
  { version, source, createdAt, createdBy }: ConfigVersion,
): ConfigVersionView {
  const rollout = state.configRollouts.find(version)
  return {
    ...{ version, source: { ...source }, createdAt, createdBy },
    ...{ state: rollout?.state ?? 'running', message: rollout?.message ?? '' },
    ...defined({ endedAt: rollout?.endedAt }),
  }
}

export const configVersionDetail = (state: State, version: ConfigVersion): ConfigVersionDetail => ({
  ...configVersionView(state, version),
  spec: version.spec,
})

/** Undefined: it has nothing of a node configuration, and is to have nothing. */
export function nodeConfigView(state: State, node: Node): NodeConfigView | undefined {
  const rollout = newestRollout(state)
  if (rollout === undefined) return undefined
  const record = state.nodeConfigs.get(node.name)
  const report = state.nodeStatuses.get(node.name)?.config
  const version = report?.version ?? 0
  const drift = (report?.drift ?? []).map((each) => ({ ...each }))
  const isNext = record?.rollout !== rollout.version && (rollout.state === 'running' || rollout.state === 'done')
  if (isNext && isConcerned(state, rollout.version, node))
    return { version, wanted: rollout.version, state: 'waiting', drift }
  if (record === undefined) return undefined
  const { wanted, state: at, since, why, output } = record
  return {
    version,
    wanted,
    state: at,
    since,
    drift,
    ...defined({ why }),
    ...(output === undefined ? {} : { output: [...output] }),
  }
}

const isConcerned = (state: State, version: number, node: Node): boolean => {
  const spec = state.configVersions.find(version)?.spec
  return spec !== undefined && isNodeConcerned(state, spec, node)
}

/** One sentence each. */
export function nodeConfigProblems(view: NodeConfigView | undefined): string[] {
  if (view === undefined) return []
  const { state, wanted, version, why = 'no reason was told', drift } = view
  const items = drift.slice(0, 3).map(({ key }) => key)
  const more = drift.length > items.length ? ` and ${drift.length - items.length} more` : ''
  return [
    ...(state === 'undone' ? [`version ${wanted} of the node configuration was undone: ${why}`] : []),
    ...(state === 'failed' ? [`version ${wanted} of the node configuration failed: ${why}`] : []),
    ...(drift.length > 0
      ? [`it is not as version ${version} of the node configuration says: ${items.join(', ')}${more}`]
      : []),
  ]
}
