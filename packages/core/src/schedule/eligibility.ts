import { defaultGroup } from '../model/node-group.ts'
import type { Taint } from '../model/placement-spec.ts'
import { nodeLinkNetwork } from '../network/network-mode.ts'
import { type Bits, clearBit, setBit, wordsFor } from './bits.ts'
import type { BooksNode } from './books-node.ts'
import type { FilterName, InstanceRequest } from './instance-request.ts'
import type { NodeTable } from './node-table.ts'
import { meets, type Requirement } from './requirement.ts'

/** What a request asks of a node that has nothing to do with what is placed there. */
export interface StaticDemands {
  readonly group: string | undefined
  readonly tolerate: readonly Taint[]
  readonly where: readonly Requirement[]
  readonly volumes: readonly string[]
  readonly networks: readonly string[]
  readonly evenCordoned: boolean
}

export interface StaticRefusal {
  readonly filter: FilterName
  readonly text: string
}

/** Why the node will not do, whatever is free on it; the first reason counts. */
export function refuseStatic(demands: StaticDemands, node: BooksNode | undefined): StaticRefusal | undefined {
  if (node === undefined) return { filter: 'lost', text: 'not known' }
  if (demands.group !== undefined && (node.group ?? defaultGroup.name) !== demands.group)
    return { filter: 'group', text: `not in group ${demands.group}` }
  if (node.state === 'offline') return { filter: 'offline', text: 'offline' }
  if (node.state === 'lost') return { filter: 'lost', text: 'lost' }
  // Its limits would be those of a machine without cores.
  if (node.cpuMilli <= 0 || node.memoryBytes <= 0) return { filter: 'offline', text: 'not measured yet' }
  if (node.cordoned === true && !demands.evenCordoned) return { filter: 'cordoned', text: 'cordoned' }
  if (node.drained === true) return { filter: 'drained', text: 'drained' }
  const taint = node.taints?.find((each) => !demands.tolerate.some((tolerated) => tolerates(tolerated, each)))
  if (taint !== undefined) return { filter: 'taint', text: `taint ${formatTaintText(taint)} not tolerated` }
  const unmet = demands.where.find((requirement) => !meets(requirement, node.labels?.[requirement.label]))
  if (unmet !== undefined) return { filter: 'where', text: whereText(unmet) }
  const volume = demands.volumes.find((name) => node.volumes?.includes(name) !== true)
  if (volume !== undefined) return { filter: 'volume', text: `without volume ${volume}` }
  const network = demands.networks.find((name) => node.networks?.includes(name) !== true)
  if (network === nodeLinkNetwork)
    return { filter: 'network', text: 'without links of its own (berth up --network routed)' }
  if (network !== undefined) return { filter: 'network', text: `without Docker network ${network}` }
  return undefined
}

const tolerates = (tolerated: Taint, taint: Taint): boolean =>
  tolerated.key === taint.key && (tolerated.value === undefined || tolerated.value === taint.value)

const formatTaintText = ({ key, value }: Taint): string => (value === undefined ? key : `${key}=${value}`)

/** `wrong site` and `wrong kind` are what people call it; other labels are named with what was asked of them. */
function whereText(requirement: Requirement): string {
  return requirement.label === 'site' || requirement.label === 'kind'
    ? `wrong ${requirement.label}`
    : `without ${requirement.text}`
}

/** The nodes that meet one set of {@link StaticDemands}: kept, and brought up to date node by node. */
export class Eligibility {
  readonly demands: StaticDemands
  #epoch = -1
  #bits: Bits = new Int32Array(0)

  constructor(demands: StaticDemands) {
    this.demands = demands
  }

  bits({ ring, specs }: NodeTable): Bits {
    if (this.#epoch === ring.epoch) return this.#bits
    this.#epoch = ring.epoch
    this.#bits = new Int32Array(wordsFor(ring.length))
    for (let position = 0; position < ring.length; position++)
      if (refuseStatic(this.demands, specs[ring.rowAt[position]!]) === undefined) setBit(this.#bits, position)
    return this.#bits
  }

  /** The node has changed. */
  update(row: number, { ring, specs }: NodeTable): void {
    if (this.#epoch !== ring.epoch) return
    const position = ring.positionOf[row] ?? -1
    if (position < 0) return
    if (refuseStatic(this.demands, specs[row]) === undefined) setBit(this.#bits, position)
    else clearBit(this.#bits, position)
  }
}

export const eligibilityKey = (request: InstanceRequest): string =>
  request.where === undefined &&
  request.tolerate === undefined &&
  request.volumes === undefined &&
  request.networks === undefined &&
  request.evenCordoned !== true
    ? (request.group ?? '')
    : JSON.stringify([
        ...[request.group, request.tolerate, request.where, request.volumes, request.networks],
        request.evenCordoned === true,
      ])
