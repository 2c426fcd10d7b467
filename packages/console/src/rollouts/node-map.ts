import type { RolloutView } from '@berth/api/deploy-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import { instanceState, type Shown } from '../live/states.ts'

export interface Cell {
  readonly id: string
  readonly name: string
  readonly release: string
  readonly isNew: boolean
  readonly shown: Shown
}

export interface NodeCells {
  /** Absent: they have no node yet. */
  readonly node: string | undefined
  readonly cells: readonly Cell[]
}

/** Whether an instance is of the generation that the rollout brings; after a restart both are of the same release. */
export const isOfRollout = ({ id, from, to }: RolloutView, instance: InstanceView): boolean =>
  from === to ? instance.rollout === id : instance.release === to

const byName = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })

/** Services of the pool by node; those without a node come first, since they are what one looks for. */
export function nodeMap(rollout: RolloutView, instances: readonly InstanceView[]): readonly NodeCells[] {
  const nodes = new Map<string, Cell[]>()
  for (const instance of instances) {
    if (instance.type !== 'service' || instance.phase === 'ended') continue
    const { id, name, release, node = '' } = instance
    const cell = { id, name, release, isNew: isOfRollout(rollout, instance), shown: instanceState(instance) }
    nodes.set(node, [...(nodes.get(node) ?? []), cell])
  }
  return [...nodes]
    .sort(([a], [b]) => byName(a, b))
    .map(([node, cells]) => ({
      node: node === '' ? undefined : node,
      cells: cells.sort((a, b) => byName(a.name, b.name)),
    }))
}
