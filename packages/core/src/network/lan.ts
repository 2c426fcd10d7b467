import { BerthError } from '../model/berth-error.ts'
import { checkName } from '../model/names.ts'
import {
  type AddressBlock,
  blocksOverlap,
  containsAddress,
  containsBlock,
  formatBlock,
  nodeBlockCount,
  parseAddress,
  parseBlock,
} from './address-block.ts'
import { attachProblem } from './network-mode.ts'

/**
 * `macvlan`: each container has a link of its own on the interface. `flat`: the machine's addresses are moved from the interface to a bridge, and
 * containers are on that.
 */
export const lanModes = ['macvlan', 'flat'] as const
export type LanMode = (typeof lanModes)[number]

/**
 * A network that machines are on already and that instances may be in as well, by a Docker network of the same name on each node. Key
 * `/lans/<name>`. What it is never changes; which nodes have it does with their labels and groups.
 */
export interface Lan {
  readonly name: string
  readonly mode: LanMode
  /** Interface by which nodes are on it: `eth1`. */
  readonly parent: string
  /** Number of the VLAN on that interface. Absent: what it carries untagged. */
  readonly vlan?: number
  readonly subnet: string
  /** The router there. Absent: there is none; Docker keeps one address of each slice for one. */
  readonly gateway?: string
  /** The part of the subnet that slices are cut from. */
  readonly range: string
  readonly slicePrefix: number
  /** Only nodes that bear it. Absent: whatever they bear. */
  readonly label?: LanLabel
  /** Only nodes of these groups; none: of all. */
  readonly groups: readonly string[]
  /** By node: the part of the range that it gives to containers. Two nodes never share an address. */
  readonly slices: Readonly<Record<string, string>>
  /** Given out last: a freed slice rests as long as possible. */
  readonly lastSlice?: string
}

export interface LanLabel {
  readonly name: string
  readonly value: string
}

/** What an agent needs to make it on its node. */
export type NodeLan = Pick<Lan, 'name' | 'mode' | 'parent' | 'vlan' | 'subnet' | 'gateway' | 'range'> & {
  readonly slice: string
}

export type LanFacts = Omit<Lan, 'slices' | 'lastSlice'>

const longestSlicePrefix = 30
const mostVlan = 4094
/** Of an interface's name in the kernel. */
const maxInterfaceName = 15
/** That mean the asker's own machine, a link, everybody or nobody. */
const unusable = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parseBlock)

/** The interface that containers' links hang on: `eth1`, or `eth1.120`. */
export const linkOf = ({ parent, vlan }: Pick<Lan, 'parent' | 'vlan'>): string =>
  vlan === undefined ? parent : `${parent}.${vlan}`

export const flatBridgePrefix = 'flat-'
/** The bridge that a flat network makes of the interface. */
export const flatBridgeOf = (lan: Pick<Lan, 'parent' | 'vlan'>): string => `${flatBridgePrefix}${linkOf(lan)}`

/** Sixteen nodes find room in a range, unless said otherwise. */
export const defaultSlicePrefix = (range: string): number => Math.min(parseBlock(range).prefix + 4, longestSlicePrefix)

/** Throws `lan.invalid`, `name.invalid`, `network.invalid-block`, `network.invalid-address`. */
export function checkLan(lan: LanFacts): LanFacts {
  const { name, subnet: subnetText, range: rangeText, gateway } = lan
  checkName('network', name)
  const nameProblem = attachProblem(name, undefined)
  if (nameProblem !== undefined) throw invalid(name, nameProblem)
  checkLink(lan)
  const [subnet, range] = [parseBlock(subnetText), parseBlock(rangeText)]
  const special = unusable.find((each) => blocksOverlap(each, subnet))
  if (special !== undefined)
    throw invalid(name, `${subnetText} shares addresses with ${formatBlock(special)}, which no container can have`)
  if (subnet.prefix > longestSlicePrefix)
    throw invalid(name, `${subnetText} has no room for containers; the subnet is at least a /${longestSlicePrefix}`)
  if (!containsBlock(subnet, range)) throw invalid(name, `the range ${rangeText} is not part of ${subnetText}`)
  if (gateway !== undefined) checkGateway(name, subnet, gateway)
  checkSliceSize(lan, range)
  return lan
}

function checkLink({ name, mode, parent, vlan }: LanFacts): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(parent) || parent.length > maxInterfaceName)
    throw invalid(name, `${JSON.stringify(parent.slice(0, 40))} is no name of an interface; write e.g. eth1`)
  if (parent === 'lo' || /^(berth|docker|veth|br-|flat-)/.test(parent))
    throw invalid(
      name,
      `${parent} is made by Docker or Berth, or leads nowhere; name the interface that is on the network`,
    )
  if (mode === 'flat' && flatBridgeOf({ parent, ...(vlan === undefined ? {} : { vlan }) }).length > maxInterfaceName)
    throw invalid(
      name,
      `a bridge of ${parent} would have too long a name for an interface: flat- and ten characters at most`,
    )
  if (vlan === undefined) return
  if (!Number.isInteger(vlan) || vlan < 1 || vlan > mostVlan)
    throw invalid(name, `there is no VLAN ${vlan}: they are numbered 1 to ${mostVlan}`)
  if (linkOf({ parent, vlan }).length > maxInterfaceName)
    throw invalid(
      name,
      `${linkOf({ parent, vlan })} is too long for an interface: ${maxInterfaceName} characters at most`,
    )
}

function checkGateway(name: string, subnet: AddressBlock, gateway: string): void {
  const value = parseAddress(gateway)
  const isHost = value !== subnet.base && value !== subnet.base + 2 ** (32 - subnet.prefix) - 1
  if (!containsAddress(subnet, value) || !isHost)
    throw invalid(name, `the gateway ${gateway} is no address of ${formatBlock(subnet)}`)
}

function checkSliceSize({ name, slicePrefix }: LanFacts, range: AddressBlock): void {
  if (Number.isInteger(slicePrefix) && slicePrefix >= range.prefix && slicePrefix <= longestSlicePrefix) return
  const fits = `/${Math.min(range.prefix, longestSlicePrefix)} to /${longestSlicePrefix}`
  throw invalid(name, `nodes cannot have slices of /${slicePrefix} of ${formatBlock(range)}; choose ${fits}`)
}

const invalid = (name: string, why: string): BerthError => new BerthError('lan.invalid', `network ${name}: ${why}`)

/** A node, as far as it matters to whether it has the network. */
export interface LanSeeker {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly group: string
  /** Its agent says that it has the network still, or an instance there is in it. */
  readonly holds: boolean
}

export const isForNode = (
  { label, groups }: Pick<Lan, 'label' | 'groups'>,
  node: Pick<LanSeeker, 'labels' | 'group'>,
): boolean =>
  (label === undefined || node.labels[label.name] === label.value) &&
  (groups.length === 0 || groups.includes(node.group))

/**
 * The network with a slice for each node that it is for, as far as there are any; `nodes` are all that there are. A node keeps its slice while
 * it holds the network, and once the network is not for it any more until it has let go of it. Settled again nothing changes.
 */
export function settleSlices(lan: Lan, nodes: readonly LanSeeker[]): Lan {
  const kept = nodes.flatMap((node): [string, string][] => {
    const slice = sliceOf(lan, node.name)
    return slice !== undefined && (isForNode(lan, node) || node.holds) ? [[node.name, slice]] : []
  })
  const slices = new Map(kept)
  const taken = new Set(slices.values())
  let { lastSlice } = lan
  const wanting = nodes.filter((node) => isForNode(lan, node) && !slices.has(node.name)).map(({ name }) => name)
  for (const node of wanting.sort()) {
    const slice = freeSlice(lan, taken, lastSlice)
    if (slice === undefined) break
    taken.add(slice)
    slices.set(node, slice)
    lastSlice = slice
  }
  const inOrder = [...slices].sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...lan, slices: Object.fromEntries(inOrder), ...(lastSlice === undefined ? {} : { lastSlice }) }
}

/** Not by the object itself: a node may have any name. */
export const sliceOf = ({ slices }: Pick<Lan, 'slices'>, node: string): string | undefined =>
  Object.hasOwn(slices, node) ? slices[node] : undefined

export const sliceCount = ({ range, slicePrefix }: Pick<Lan, 'range' | 'slicePrefix'>): number =>
  nodeBlockCount(parseBlock(range), slicePrefix)

/** Goes round the range, from behind the one given last. */
function freeSlice(lan: Lan, taken: ReadonlySet<string>, last: string | undefined): string | undefined {
  const [range, count] = [parseBlock(lan.range), sliceCount(lan)]
  const size = 2 ** (32 - lan.slicePrefix)
  const start = last === undefined ? 0 : (parseBlock(last).base - range.base) / size + 1
  // One more than are taken is always free, where there is one at all.
  for (let step = 0; step < Math.min(count, taken.size + 1); step += 1) {
    const base = range.base + ((start + step) % count) * size
    const slice = formatBlock({ base, prefix: lan.slicePrefix })
    if (!taken.has(slice)) return slice
  }
  return undefined
}

/** What the node is told of it; undefined: it has no slice. */
export function nodeLanOf(lan: Lan, node: string): NodeLan | undefined {
  const slice = sliceOf(lan, node)
  if (slice === undefined) return undefined
  const { name, mode, parent, vlan, subnet, gateway, range } = lan
  return {
    ...{ name, mode, parent, subnet, range, slice },
    ...(vlan === undefined ? {} : { vlan }),
    ...(gateway === undefined ? {} : { gateway }),
  }
}
