import type { OneAddress } from '@berth/api'
import {
  type AddressPool,
  BerthError,
  blockSize,
  blocksOf,
  containsAddress,
  gatewayOf,
  type Instance,
  isOwnAddress,
  type Node,
  parseAddress,
  parseBlock,
  poolOf,
  tryParseAddress,
  twinned,
} from '@berth/core'
import { missingText } from '../policy/decision-view.ts'
import { byHandEnds } from '../policy/profile-of.ts'
import type { State } from '../records/index.ts'
import { type AddressHistory, ownAddressOf } from './address-history.ts'
import { lenderOf } from './lenders.ts'
import { isRouted, profilesAt } from './list-addresses.ts'
import { hasTwin, twinAddress, twinRangesOf } from './twin-pools.ts'

export interface ShowOptions {
  readonly state: State
  readonly pools: readonly AddressPool[]
  readonly history: Pick<AddressHistory, 'of'>
  readonly domain: string
  /** The name of a container that has it on that node, by hand; undefined: none, or nobody can say. */
  readonly containerAt: (node: string, address: string) => Promise<{ name: string; createdAt: number } | undefined>
}

type Said = Omit<OneAddress, 'address' | 'address6' | 'names' | 'node' | 'block' | 'pool'> & {
  readonly names?: string[]
}

/** All that is known of one address, or of the one whose twin of IPv6 is asked for. Throws `network.invalid-address`. */
export async function showAddress(asked: string, options: ShowOptions): Promise<OneAddress> {
  const { state, pools, history } = options
  const address = twinned(twinRangesOf(state), asked) ?? asked
  if (tryParseAddress(address) === undefined)
    throw new BerthError(
      'network.invalid-address',
      `"${asked}" is no address of IPv4, nor one of IPv6 of a pool; write four numbers, e.g. 10.77.3.5`,
    )
  const node = nodeWith(state, address)
  const block = node === undefined ? undefined : blocksOf(node).find((each) => contains(each, address))
  const pool = poolOf(pools, address)
  const said =
    ofInstance(address, options) ??
    ofNobodyNow(state, address) ??
    ofCluster(state, address) ??
    (await ofPlace(address, node, block, pool, options))
  const isTold = said.instance === undefined || hasTwin(state, { address, createdAt: said.since ?? 0 })
  const address6 = isTold ? twinAddress(state, address) : undefined
  const last = said.kind === 'free' || said.kind === 'unassigned' ? history.of(address) : undefined
  return {
    ...{ address, names: [], ...said },
    ...(address6 === undefined ? {} : { address6 }),
    ...(node === undefined ? {} : { node: node.name }),
    ...(block === undefined ? {} : { block }),
    ...(pool === undefined ? {} : { pool: pool.name }),
    ...(last === undefined ? {} : { last }),
  }
}

/** Why nothing passes, in brackets; empty: something may. */
function closedAt(state: State, node: Node, address: string): string {
  const exists = (name: string): boolean => state.profiles.has(name)
  const { named = [], closed } = byHandEnds(state, node, exists).get(address) ?? {}
  const missing = named.filter((name) => !exists(name))
  if (missing.length > 0) return ` (closed: ${missingText(missing)})`
  return closed === undefined ? '' : ` (closed, its profiles are not in force: ${closed})`
}

const contains = (block: string, address: string): boolean => containsAddress(parseBlock(block), address)

const nodeWith = (state: State, address: string): Node | undefined =>
  [...state.nodes.values()].find((node) => blocksOf(node).some((block) => contains(block, address)))

function ofInstance(address: string, { state, domain, pools }: ShowOptions): Said | undefined {
  const instance = [...state.instances.values()].find((each) => ownAddressOf(each)?.address === address)
  if (instance === undefined) return undefined
  const { id, app, node, createdAt, borrowedFrom } = instance
  const lender = lenderOf(state, pools, instance)
  const status = state.statuses.get(id)
  const phase = status?.phase ?? 'assigned'
  const message =
    phase === 'ended'
      ? `of ${id} on ${node}, which has ended; it is free when the instance is forgotten`
      : `of ${id} on ${node}${borrowedFrom === undefined ? '' : `, which had none left and has borrowed it of ${borrowedFrom}`}`
  const names = status?.ready === true ? namesOf(instance, domain) : []
  return {
    ...{ kind: 'instance', message, instance: id, app, state: phase, since: createdAt, names },
    ...(lender === undefined || node === undefined ? {} : { lender, borrower: node }),
  }
}

/** Names that mean it, as long as it is ready. */
const namesOf = ({ app, pool, entrypoint, ordinal, type }: Instance, domain: string): string[] =>
  type === 'service'
    ? [`${entrypoint}-${ordinal}.${pool}.${app}.${domain}`, `${entrypoint}.${pool}.${app}.${domain}`]
    : []

/** Kept by an entrypoint, none of whose instances has it. */
function ofNobodyNow(state: State, address: string): Said | undefined {
  const kept = state.keptAddresses.get(address)
  if (kept === undefined) return undefined
  const { app, pool, entrypoint, slot, since } = kept
  const whose = `${app}/${pool}/${entrypoint}, number ${slot}`
  return { kind: 'reserved', message: `kept for ${whose}; no instance has it now`, app, since }
}

/** What is none of a pool's. */
function ofCluster(state: State, address: string): Said | undefined {
  const node = [...state.nodes.values()].find((each) => each.address === address)
  if (node !== undefined) return { kind: 'node', message: `of node ${node.name} itself`, since: node.joinedAt }
  const external = state.externals.all().find(({ addresses }) => addresses.includes(address))
  if (external === undefined) return undefined
  return { kind: 'external', message: `of the external service ${external.name}` }
}

async function ofPlace(
  address: string,
  node: Node | undefined,
  blockText: string | undefined,
  pool: AddressPool | undefined,
  { state, containerAt }: ShowOptions,
): Promise<Said> {
  if (pool === undefined) return { kind: 'outside', message: 'in no address pool: berth ip pool ls' }
  if (node === undefined || blockText === undefined)
    return { kind: 'unassigned', message: `free: no node has a block of the pool ${pool.name} with it` }
  const block = parseBlock(blockText)
  const place = parseAddress(address) - block.base
  if (address === gatewayOf(parseBlock(node.block)))
    return { kind: 'gateway', message: `of node ${node.name} in its own block: the way out of its containers` }
  if (place <= 1 || place === blockSize(block) - 1)
    return { kind: 'reserved', message: `the block ${blockText} of ${node.name} gives it to nobody` }
  const container = await containerAt(node.name, address)
  if (container !== undefined) {
    const { name, createdAt } = container
    const closed = closedAt(state, node, address)
    const message = `of the container ${name} on ${node.name}, which was started by hand${closed}`
    return {
      ...{ kind: 'by-hand', message, container: name, state: 'running', since: createdAt },
      ...profilesAt(state, node, address),
    }
  }
  const isKept = isRouted(state, node.name) && isOwnAddress(parseBlock(node.block), address)
  const whose = isKept ? ', kept for containers that are started by hand' : ''
  return { kind: 'free', message: `free, in the block ${blockText} of ${node.name}${whose}` }
}
