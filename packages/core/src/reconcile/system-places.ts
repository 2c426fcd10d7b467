import type { EntrypointSpec } from '../model/app-spec.ts'
import type { PlacementSpec, Taint } from '../model/placement-spec.ts'
import { meets, parseRequirement } from '../schedule/requirement.ts'
import { placementOf } from '../spec/placement-of.ts'

/** What a node says about itself, whatever runs there. */
export interface ClusterNode {
  readonly name: string
  readonly group: string
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly Taint[]
  readonly drained: boolean
  readonly online: boolean
}

/** Where instances of a system service (`strategy: each`) belong. */
export interface SystemPlaces {
  /** Nodes that match and are heard of, by name; each is to have `perNode` of them. */
  readonly open: readonly string[]
  /** Nodes that match, heard of or not. */
  readonly matching: ReadonlySet<string>
  readonly perNode: number
}

/** Not the room on a node: an instance that finds none waits for it, and says so. Cordoned nodes count: what belongs to a node stays. */
export function systemPlaces(spec: EntrypointSpec, group: string, nodes: readonly ClusterNode[]): SystemPlaces {
  const placement = placementOf(spec)
  const { strategy } = placement
  const matching = nodes.filter((node) => node.group === group && matches(placement, node))
  return {
    open: matching
      .filter((node) => node.online)
      .map((node) => node.name)
      .sort(),
    matching: new Set(matching.map((node) => node.name)),
    perNode: strategy.type === 'each' ? strategy.count : 0,
  }
}

function matches({ where, tolerate }: PlacementSpec, { name, labels, taints, drained }: ClusterNode): boolean {
  if (drained) return false
  const tolerated = (taint: Taint): boolean =>
    tolerate.some(({ key, value }) => key === taint.key && (value === undefined || value === taint.value))
  if (!taints.every(tolerated)) return false
  return where.every((text) => {
    const requirement = parseRequirement(text)
    if (!requirement.ok) return false
    const { label } = requirement.value
    return meets(requirement.value, label === 'node' ? name : labels[label])
  })
}
