import { defaultGroupName, type Instance, type Node, type ResourceSum } from '@berth/core'
import type { State } from '../records/index.ts'

/** What a group's nodes have and what of it is given out. */
export interface GroupUse {
  readonly nodes: number
  readonly instances: number
  readonly has: ResourceSum
  readonly given: ResourceSum
}

export const groupOfNode = (node: Pick<Node, 'group'> | undefined): string => node?.group ?? defaultGroupName

/** Counted where it was placed, also when its node has been moved to another group since. */
export const groupOfInstance = (state: State, instance: Instance): string =>
  instance.group ?? groupOfNode(state.nodes.get(instance.node ?? ''))

const known = new WeakMap<State, { readonly revision: number; readonly uses: ReadonlyMap<string, GroupUse> }>()

/** Of all groups, counted once a revision. */
export function groupUses(state: State): ReadonlyMap<string, GroupUse> {
  const before = known.get(state)
  if (before?.revision === state.revision) return before.uses
  const uses = countUses(state)
  known.set(state, { revision: state.revision, uses })
  return uses
}

/** In one pass over nodes and instances. */
function countUses(state: State): Map<string, GroupUse> {
  const uses = new Map<string, GroupUse>()
  const add = (group: string, more: (use: GroupUse) => GroupUse): void =>
    void uses.set(group, more(uses.get(group) ?? unused))
  for (const node of state.nodes.values()) {
    const status = state.nodeStatuses.get(node.name)
    const has = { cpuMilli: status?.cpuMilli ?? 0, memoryBytes: status?.memoryBytes ?? 0 }
    add(groupOfNode(node), (use) => ({ ...use, nodes: use.nodes + 1, has: sum(use.has, has) }))
  }
  for (const instance of state.instances.values()) {
    if (!isHeld(state, instance)) continue
    add(groupOfInstance(state, instance), (use) => ({
      ...use,
      instances: use.instances + 1,
      given: sum(use.given, reservedBy(instance)),
    }))
  }
  return uses
}

export const unused: GroupUse = {
  nodes: 0,
  instances: 0,
  has: { cpuMilli: 0, memoryBytes: 0 },
  given: { cpuMilli: 0, memoryBytes: 0 },
}

/** What it was given is still kept for it. */
export const isHeld = (state: State, instance: Instance): boolean =>
  instance.node !== undefined && state.statuses.field(instance.id, 'phase') !== 'ended'

export const reservedBy = (instance: Instance): ResourceSum => ({
  cpuMilli: instance.reservedCpuMilli ?? 0,
  memoryBytes: instance.reservedMemoryBytes ?? 0,
})

export const sum = (a: ResourceSum, b: ResourceSum): ResourceSum => ({
  cpuMilli: a.cpuMilli + b.cpuMilli,
  memoryBytes: a.memoryBytes + b.memoryBytes,
})
