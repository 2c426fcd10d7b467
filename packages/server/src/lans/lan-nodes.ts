import {
  containsAddress,
  defaultGroupName,
  type Instance,
  isForNode,
  type LanSeeker,
  lanOf,
  parseBlock,
  sliceOf,
} from '@berth/core'
import { hasEnded } from '../controllers/has-ended.ts'
import type { LanRecord, State } from '../records/index.ts'

/** Instances that are in it, or are to be. */
export const instancesIn = (state: State, name: string, node?: string): Instance[] =>
  (node === undefined ? state.instances.all() : state.instances.byNode(node)).filter(
    (each) =>
      (lanOf(each.network) === name || each.networks?.some((network) => network.name === name) === true) &&
      !hasEnded(state, each),
  )

/**
 * Where an instance is reached. In a network of the machines' own Docker gives it an address as it starts: what its agent says, of its node's
 * slice; undefined: none is known yet.
 */
export function reachedAddress(state: State, { id, network, node = '', address }: Instance): string | undefined {
  const name = lanOf(network)
  if (name === undefined) return address
  const lan = state.lans.get(name)
  const [slice, told] = [lan === undefined ? undefined : sliceOf(lan, node), state.statuses.field(id, 'address')]
  const isOfSlice = slice !== undefined && told !== undefined && containsAddress(parseBlock(slice), told)
  return isOfSlice ? told : undefined
}

/** The same instance, as those see it who want to reach it. */
export function withReachedAddress(state: State, instance: Instance): Instance {
  if (lanOf(instance.network) === undefined) return instance
  const { address: _, ...rest } = instance
  const address = reachedAddress(state, instance)
  return address === undefined ? rest : { ...rest, address }
}

/** Every node, as far as it matters to who gets a slice of it. One that is away may have it still, whatever it said last. */
export const seekersOf = (state: State, { name, slices }: Pick<LanRecord, 'name' | 'slices'>): LanSeeker[] =>
  [...state.nodes.values()].map((node) => ({
    ...{ name: node.name, labels: node.labels, group: node.group ?? defaultGroupName },
    holds: sliceOf({ slices }, node.name) !== undefined && mayHave(state, name, node.name),
  }))

function mayHave(state: State, network: string, node: string): boolean {
  const status = state.nodeStatuses.get(node)
  if (status?.online !== true || status.dockerNetworks?.includes(network) === true) return true
  if (Object.hasOwn(status.lanProblems ?? {}, network)) return true
  return instancesIn(state, network, node).length > 0
}

/**
 * Of the Docker networks that a node says it has, those that instances may be placed in: one that bears the name of a network of the machines'
 * own counts only where the node is one of those that have it.
 */
export const networksOn = (state: State, node: string, told: readonly string[]): readonly string[] =>
  state.lans.size === 0 ? told : told.filter((name) => isPlacedIn(state, name, node))

function isPlacedIn(state: State, network: string, name: string): boolean {
  const [lan, node] = [state.lans.get(network), state.nodes.get(name)]
  if (lan === undefined) return true
  if (node === undefined || sliceOf(lan, name) === undefined) return false
  return isForNode(lan, { labels: node.labels, group: node.group ?? defaultGroupName })
}
