import type { EntrypointSpec } from '../model/app-spec.ts'
import type { Taint } from '../model/placement-spec.ts'
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
  const { where, tolerate, strategy } = placementOf(spec)
  const requirements = where.map((text) => parseRequirement(text))
  const isTolerated = (taint: Taint): boolean =>
    tolerate.some(({ key, value }) => key === taint.key && (value === undefined || value === taint.value))
  const isMet = (node: ClusterNode): boolean =>
    requirements.every((each) => each.ok && meets(each.value, labelOf(node, each.value.label)))
  const matching = nodes.filter(
    (node) => node.group === group && !node.drained && node.taints.every(isTolerated) && isMet(node),
  )
  return {
    open: matching
      .filter((node) => node.online)
      .map((node) => node.name)
      .sort(),
    matching: new Set(matching.map((node) => node.name)),
    perNode: strategy.type === 'each' ? strategy.count : 0,
  }
}

/** A node's name is a label as well. */
const labelOf = ({ name, labels }: ClusterNode, label: string): string | undefined =>
  label === 'node' ? name : labels[label]
