import type { LanNodeView, LanView } from '@berth/api'
import { defaultGroupName, isForNode, type Node, sliceCount, sliceOf } from '@berth/core'
import { instancesIn } from '../lans/lan-nodes.ts'
import type { LanRecord, State } from '../records/index.ts'
import { defined } from './view-context.ts'

type LanContext = { readonly state: State; readonly isOnline: (node: string) => boolean }

export function lanView(context: LanContext, lan: LanRecord): LanView {
  const { name, mode, parent, vlan, subnet, gateway, range, slicePrefix, label, groups, createdAt, createdBy } = lan
  const nodes = [...context.state.nodes.values()].flatMap((node) => nodeOf(context, lan, node) ?? [])
  return {
    ...{ name, mode, parent, subnet, range, sliceSize: slicePrefix, groups: [...groups] },
    ...defined({ vlan, gateway, label: label === undefined ? undefined : { ...label } }),
    slices: { total: sliceCount(lan), used: Object.keys(lan.slices).length },
    nodes: nodes.sort((a, b) => (a.name < b.name ? -1 : 1)),
    instances: instancesIn(context.state, name).length,
    ...{ createdAt, createdBy },
  }
}

/** Undefined: it is not for that node, which has nothing of it either. */
function nodeOf({ state, isOnline }: LanContext, lan: LanRecord, node: Node): LanNodeView | undefined {
  const slice = sliceOf(lan, node.name)
  const isFor = isForNode(lan, { labels: node.labels, group: node.group ?? defaultGroupName })
  if (slice === undefined)
    return isFor ? { name: node.name, state: 'problem', message: 'no slice of the range is left' } : undefined
  const status = state.nodeStatuses.get(node.name)
  const base = { name: node.name, slice }
  const { lanProblems = {} } = status ?? {}
  const problem = Object.hasOwn(lanProblems, lan.name) ? lanProblems[lan.name] : undefined
  if (!isOnline(node.name)) return { ...base, state: 'waiting', message: 'its agent is away' }
  if (status?.lanProblems === undefined)
    return { ...base, state: 'problem', message: 'its agent makes no such networks: berth node upgrade' }
  if (problem !== undefined) return { ...base, state: 'problem', message: problem }
  if (!isFor) return { ...base, state: 'waiting', message: 'it is not for this node any more, which has it still' }
  if (status.dockerNetworks?.includes(lan.name) === true) return { ...base, state: 'ready' }
  return { ...base, state: 'waiting', message: 'its agent is making it' }
}
