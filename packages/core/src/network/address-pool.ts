import { BerthError } from '../model/berth-error.ts'
import {
  type AddressBlock,
  blockForNode,
  blocksOverlap,
  containsAddress,
  containsBlock,
  formatBlock,
  nodeBlockCount,
  parseBlock,
  tryParseAddress,
} from './address-block.ts'
import {
  defaultBlocksPerNode,
  defaultReturnAfterMs,
  longestReturnAfterMs,
  mostBlocksPerNode,
} from './further-blocks.ts'

/** Addresses that nodes get blocks of. Key `/address-pools/<name>`. */
export interface AddressPool {
  readonly name: string
  /** `10.78.0.0/16`; never changed, as `blockPrefix`. */
  readonly range: string
  /** `fd77:1::/64`: its addresses have twins of IPv6. Once it is there it stays. Absent: there are none. */
  readonly ipv6?: string
  /** When it got its prefix, where instances had addresses of it by then: those have no twin until they are replaced. Absent: all have. */
  readonly ipv6Since?: number
  /** Of the blocks that nodes get. */
  readonly blockPrefix: number
  /** How many blocks a node may have of it. Absent: {@link defaultBlocksPerNode}. */
  readonly blocksPerNode?: number
  /** How long a node's further block is empty before it is given back. Absent: {@link defaultReturnAfterMs}. */
  readonly returnAfterMs?: number
  /** Only nodes whose label `site` is one of these; none: whatever it is. */
  readonly sites: readonly string[]
  /** Only nodes of these groups; none: of all. */
  readonly groups: readonly string[]
  /** What its instances send to outside of all pools bears their node's address; else their own, for which others need a way back. */
  readonly natOutgoing: boolean
  /** No node gets a block of it; those that have one keep it. */
  readonly disabled: boolean
}

/** What of a node decides about its pool. */
export interface PoolSeeker {
  readonly site: string | undefined
  readonly group: string
}

/** The cluster's own, which is always there. */
export const defaultPoolName = 'default'
export const defaultBlockPrefix = 24
/** A smaller block has no address for an instance beside the network's, the gateway's and the broadcast's. */
const longestBlockPrefix = 29

export const defaultAddressPool = (range: string): AddressPool => ({
  ...{ name: defaultPoolName, range, blockPrefix: defaultBlockPrefix, sites: [], groups: [] },
  ...{ natOutgoing: true, disabled: false },
})

/** That mean the asker's own machine, a link, everybody or nobody. */
const unusable = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parseBlock)

/**
 * A pool of which blocks can be cut. Throws `network.invalid-block`, `address-pool.unusable`, `address-pool.too-small`,
 * `address-pool.blocks-per-node`, `address-pool.return-after`.
 */
export function checkAddressPool(pool: AddressPool): AddressPool {
  const range = parseBlock(pool.range)
  const special = unusable.find((each) => blocksOverlap(each, range))
  if (special !== undefined)
    throw new BerthError(
      'address-pool.unusable',
      `address pool ${pool.name}: ${pool.range} shares addresses with ${formatBlock(special)}, which no container can have; choose a private range, e.g. 10.78.0.0/16`,
    )
  if (!Number.isInteger(pool.blockPrefix) || pool.blockPrefix > longestBlockPrefix || pool.blockPrefix < 8)
    throw new BerthError(
      'address-pool.too-small',
      `address pool ${pool.name}: nodes cannot have blocks of /${pool.blockPrefix}; choose /16 to /${longestBlockPrefix}`,
    )
  checkFurtherBlocks(pool)
  if (pool.blockPrefix < range.prefix)
    throw new BerthError(
      'address-pool.too-small',
      `address pool ${pool.name}: ${pool.range} has no room for one block of /${pool.blockPrefix}; choose a larger range, or smaller blocks (--block-size)`,
    )
  return pool
}

/** Throws `address-pool.blocks-per-node`, `address-pool.return-after`. */
export function checkFurtherBlocks({
  name,
  blocksPerNode = defaultBlocksPerNode,
  returnAfterMs = defaultReturnAfterMs,
}: Pick<AddressPool, 'name' | 'blocksPerNode' | 'returnAfterMs'>): void {
  if (!Number.isInteger(returnAfterMs) || returnAfterMs < 1_000 || returnAfterMs > longestReturnAfterMs)
    throw new BerthError(
      'address-pool.return-after',
      `address pool ${name}: a block cannot be given back after ${returnAfterMs / 1000} s; choose 1 s to 30 days`,
    )
  if (Number.isInteger(blocksPerNode) && blocksPerNode >= 1 && blocksPerNode <= mostBlocksPerNode) return
  throw new BerthError(
    'address-pool.blocks-per-node',
    `address pool ${name}: a node cannot have ${blocksPerNode} blocks; choose 1 to ${mostBlocksPerNode}`,
  )
}

/** Something that has addresses already, and what to call it. */
export interface TakenRange {
  readonly what: string
  /** A block, or one address. */
  readonly range: string
}

/** Why a range cannot be a pool's: the first of others' that it shares addresses with. */
export function collisionWith(range: string, taken: readonly TakenRange[]): TakenRange | undefined {
  const wanted = parseBlock(range)
  return taken.find(({ range: other }) => {
    if (!other.includes('/')) return containsAddress(wanted, other)
    return blocksOverlap(wanted, parseBlock(other))
  })
}

/** The more exactly a pool says for whom it is, the sooner it is taken; 0: for everybody, undefined: not for this one. */
function rankFor({ sites, groups }: AddressPool, { site, group }: PoolSeeker): number | undefined {
  if (sites.length > 0 && (site === undefined || !sites.includes(site))) return undefined
  if (groups.length > 0 && !groups.includes(group)) return undefined
  return (sites.length > 0 ? 2 : 0) + (groups.length > 0 ? 1 : 0)
}

/** Pools that a node may get a block of, in the order in which they are tried: those that say most exactly for whom they are, by name. */
export function poolsFor(pools: readonly AddressPool[], seeker: PoolSeeker): readonly AddressPool[] {
  const ranked = pools
    .filter(({ disabled }) => !disabled)
    .flatMap((pool) => {
      const rank = rankFor(pool, seeker)
      return rank === undefined ? [] : [{ pool, rank }]
    })
  const best = Math.max(...ranked.map(({ rank }) => rank))
  // A site's addresses are routed to that site: where they are used up, others' would not be reached.
  const chosen = ranked.filter(({ rank }) => rank === best).map(({ pool }) => pool)
  return chosen.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Which block a node gets. `isLent`: somebody has an address of it, so it is for whom there is no other. Throws `network.pool-exhausted`, `address-pool.none`. */
export function chooseBlock(
  pools: readonly AddressPool[],
  seeker: PoolSeeker,
  isTaken: (block: string) => boolean,
  isLent?: (block: string) => boolean,
): { readonly pool: AddressPool; readonly block: string } {
  const candidates = poolsFor(pools, seeker)
  for (const pool of candidates) {
    const block = freeBlockOf(pool, isTaken, isLent)
    if (block !== undefined) return { pool, block }
  }
  const whose = `a node of group ${seeker.group}${seeker.site === undefined ? ' without a site' : ` in site ${seeker.site}`}`
  if (candidates.length === 0)
    throw new BerthError(
      'address-pool.none',
      `no address pool gives addresses to ${whose}; make one (berth ip pool add), or enable one (berth ip pool ls)`,
    )
  const full = candidates.map((pool) => `${pool.name} (${pool.range})`).join(', ')
  throw new BerthError(
    'network.pool-exhausted',
    `every block of /${candidates[0]?.blockPrefix} is taken in the address pool of ${whose}: ${full}; remove unused nodes, or add a pool: berth ip pool add`,
    { details: { pools: candidates.map(({ name }) => name) } },
  )
}

/** The first block of a pool that nobody has; one of which somebody has an address (`isLent`) only where there is no other. */
export function freeBlockOf(
  { range, blockPrefix }: AddressPool,
  isTaken: (block: string) => boolean,
  isLent: (block: string) => boolean = () => false,
): string | undefined {
  const pool = parseBlock(range)
  const count = nodeBlockCount(pool, blockPrefix)
  let lent: string | undefined
  for (let index = 0; index < count; index += 1) {
    const block = formatBlock(blockForNode(pool, index, blockPrefix))
    if (isTaken(block)) continue
    if (!isLent(block)) return block
    lent ??= block
  }
  return lent
}

/** The block of a pool that an address is in; undefined: it is in none of its blocks. */
export function blockWith({ range, blockPrefix }: AddressPool, address: string): string | undefined {
  const value = tryParseAddress(address)
  if (value === undefined || !containsAddress(parseBlock(range), value)) return undefined
  return formatBlock({ base: value - (value % 2 ** (32 - blockPrefix)), prefix: blockPrefix })
}

/** How many blocks a pool has in all. */
export const blocksInPool = ({ range, blockPrefix }: AddressPool): number =>
  nodeBlockCount(parseBlock(range), blockPrefix)

/** The pool that a block or an address is of. */
export function poolOf(pools: readonly AddressPool[], blockOrAddress: string): AddressPool | undefined {
  const block = blockOrAddress.includes('/') ? parseBlock(blockOrAddress) : asBlock(blockOrAddress)
  return block === undefined ? undefined : pools.find(({ range }) => containsBlock(parseBlock(range), block))
}

function asBlock(address: string): AddressBlock | undefined {
  const base = tryParseAddress(address)
  return base === undefined ? undefined : { base, prefix: 32 }
}
