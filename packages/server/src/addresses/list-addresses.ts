import type { AddressView } from '@berth/api'
import {
  type AddressPool,
  type AddressReport,
  blocksOf,
  containsAddress,
  gatewayOf,
  type Instance,
  isRoutedNetwork,
  type Node,
  ownAddresses,
  parseAddress,
  parseBlock,
  poolOf,
} from '@berth/core'
import type { State } from '../records/index.ts'
import { ownAddressOf } from './address-history.ts'
import { lenderOf } from './lenders.ts'
import { hasTwin, twinAddress } from './twin-pools.ts'

export interface AddressQuery {
  readonly node?: string | undefined
  readonly pool?: string | undefined
  readonly app?: string | undefined
}

/** Addresses of one node that are not free, in their order. `report`: what it says itself; undefined: it was not asked. */
export function addressesOfNode(
  state: State,
  pools: readonly AddressPool[],
  node: Node,
  report: AddressReport | undefined,
): AddressView[] {
  const placed = placeIn(state, pools, node)
  const instances = state.instances.byNode(node.name).flatMap((each) => instanceRow(state, each) ?? [])
  const claimed = new Set(instances.map(({ address }) => address))
  const byHand = report?.containers.filter(
    ({ instance, address }) => instance === undefined && address !== undefined && !claimed.has(address),
  )
  const rows: readonly Row[] = [
    ...reservedRows(state, node),
    ...instances,
    ...(byHand ?? []).map(
      ({ address = '', name, createdAt }): Row => ({
        ...{ address, kind: 'by-hand', container: name, state: 'running', since: createdAt },
        ...profilesAt(state, node, address),
      }),
    ),
  ]
  return rows.map(placed).sort(byAddress)
}

/** That a container which was started by hand names, where it does. */
export function profilesAt(state: State, { name }: Node, address: string): { profiles?: string[] } {
  const found = state.nodeStatuses.get(name)?.byHand?.find((each) => each.address === address)
  return found === undefined ? {} : { profiles: [...found.profiles] }
}

/** Addresses of a node's blocks that instances of others have. */
export function addressesLentBy(state: State, pools: readonly AddressPool[], node: Node): AddressView[] {
  const lent = state.instances
    .borrowers()
    .filter((each) => each.node !== node.name && lenderOf(state, pools, each) === node.name)
  return lent
    .flatMap((each): AddressView[] => {
      const [row, at] = [instanceRow(state, each), state.nodes.get(each.node ?? '')]
      return row === undefined || at === undefined ? [] : [placeIn(state, pools, at)(row)]
    })
    .sort(byAddress)
}

type Row = Omit<AddressView, 'node' | 'block' | 'pool' | 'address6' | 'lender'>

const placeIn =
  (state: State, pools: readonly AddressPool[], node: Node) =>
  (row: Row): AddressView => {
    const block = blocksOf(node).find((each) => containsAddress(parseBlock(each), row.address))
    const pool = poolOf(pools, row.address)?.name
    const { address, instance: id, since: createdAt = 0 } = row
    const isTold = id === undefined || hasTwin(state, { address, createdAt })
    const address6 = isTold ? twinAddress(state, address) : undefined
    const instance = block === undefined && id !== undefined ? state.instances.get(id) : undefined
    const lender = instance === undefined ? undefined : lenderOf(state, pools, { ...instance, address })
    return {
      ...{ ...row, node: node.name },
      ...(lender === undefined ? {} : { lender }),
      ...(address6 === undefined ? {} : { address6 }),
      ...(block === undefined ? {} : { block }),
      ...(pool === undefined ? {} : { pool }),
    }
  }

const byAddress = (a: AddressView, b: AddressView): number => parseAddress(a.address) - parseAddress(b.address)

function instanceRow(state: State, instance: Instance): Row | undefined {
  const held = ownAddressOf(instance)
  if (held === undefined) return undefined
  const { id, app, createdAt } = instance
  const phase = state.statuses.field(id, 'phase') ?? 'assigned'
  return { address: held.address, kind: 'instance', instance: id, app, state: phase, since: createdAt }
}

function reservedRows(state: State, { name, block }: Node): Row[] {
  if (block === '') return []
  const parsed = parseBlock(block)
  const kept = isRouted(state, name) ? ownAddresses(parsed) : undefined
  return [
    { address: gatewayOf(parsed), kind: 'gateway' },
    ...(kept === undefined ? [] : [{ address: kept.first, last: kept.last, kind: 'kept' } as const]),
  ]
}

/** In routed mode, or about to be: then a part of its block is not for instances. */
export const isRouted = (state: State, node: string): boolean => isRoutedNetwork(state.nodeStatuses.get(node)?.network)

/** Whether the row is of those that were asked for. */
export const isAskedFor = ({ pool, app }: AddressQuery, row: AddressView): boolean =>
  (pool === undefined || row.pool === pool) && (app === undefined || row.app === app)
