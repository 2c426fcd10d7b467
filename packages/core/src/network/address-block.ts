import { BerthError } from '../model/berth-error.ts'

/**
 * A contiguous range of IPv4 addresses, as in `10.77.3.0/24`. Addresses are unsigned 32-bit integers inside this file and dotted
 * text at its edges; nothing here is a float or a sign-extended int. `base` never has host bits set.
 */
export interface AddressBlock {
  readonly base: number
  readonly prefix: number
}

const addressPattern = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/
const prefixPattern = /^(0|[1-9]\d?)$/

/** The integer of a dotted address, or undefined. Octal and shortened forms (`010.1.1.1`, `10.1`) are refused: they mean two things. */
export function tryParseAddress(text: string): number | undefined {
  const match = addressPattern.exec(text)
  if (match === null) return undefined
  let value = 0
  for (const octet of match.slice(1)) {
    const byte = Number(octet)
    if (byte > 255) return undefined
    value = value * 256 + byte
  }
  return value
}

/** Throws `network.invalid-address`. */
export function parseAddress(text: string): number {
  const value = tryParseAddress(text)
  if (value !== undefined) return value
  throw new BerthError('network.invalid-address', `"${text}" is no IPv4 address; write four numbers, e.g. 10.77.3.5`)
}

export function formatAddress(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}

/** Reads `10.77.0.0/16`. Throws `network.invalid-block`, also when host bits are set, naming the block that was probably meant. */
export function parseBlock(text: string): AddressBlock {
  const [address = '', prefixText = '', ...rest] = text.split('/')
  const value = tryParseAddress(address)
  const prefix = prefixPattern.test(prefixText) ? Number(prefixText) : undefined
  if (value === undefined || prefix === undefined || prefix > 32 || rest.length > 0) {
    throw invalidBlock(`"${text}" is no address block; write address/prefix, e.g. 10.77.0.0/16`)
  }
  const block = blockAround(value, prefix)
  if (block.base !== value) {
    throw invalidBlock(`"${text}" has bits set behind its prefix; the block around it is ${formatBlock(block)}`)
  }
  return block
}

const invalidBlock = (message: string): BerthError => new BerthError('network.invalid-block', message)

export const formatBlock = (block: AddressBlock): string => `${formatAddress(block.base)}/${block.prefix}`

/** How many addresses it spans, the reserved ones included. */
export const blockSize = (block: AddressBlock): number => 2 ** (32 - block.prefix)

const blockAround = (value: number, prefix: number): AddressBlock => ({
  base: value - (value % 2 ** (32 - prefix)),
  prefix,
})

const lastOf = (block: AddressBlock): number => block.base + blockSize(block) - 1

export function containsAddress(block: AddressBlock, address: string | number): boolean {
  const value = typeof address === 'number' ? address : tryParseAddress(address)
  return value !== undefined && value >= block.base && value <= lastOf(block)
}

export const containsBlock = (outer: AddressBlock, inner: AddressBlock): boolean =>
  inner.prefix >= outer.prefix && containsAddress(outer, inner.base)

export const blocksOverlap = (a: AddressBlock, b: AddressBlock): boolean => containsBlock(a, b) || containsBlock(b, a)

/** Throws `network.block-overlap` naming the first two that share addresses; keys are what to call them. */
export function requireDisjoint(blocks: Readonly<Record<string, AddressBlock>>): void {
  const named = Object.entries(blocks).sort(([, a], [, b]) => a.base - b.base || a.prefix - b.prefix)
  for (const [index, [name, block]] of named.entries()) {
    const next = named[index + 1]
    if (next !== undefined && blocksOverlap(block, next[1])) {
      throw new BerthError(
        'network.block-overlap',
        `${name} (${formatBlock(block)}) and ${next[0]} (${formatBlock(next[1])}) share addresses; give each its own`,
        { details: { first: name, second: next[0] } },
      )
    }
  }
}

/** How many node blocks a pool holds. */
export const nodeBlockCount = (pool: AddressBlock, prefix = 24): number => Math.floor(2 ** (prefix - pool.prefix))

/**
 * The `index`-th block (from 0) of a node. Throws `network.invalid-block` when blocks of that prefix do not fit into the pool at
 * all, `network.pool-exhausted` when there are not that many.
 */
export function blockForNode(pool: AddressBlock, index: number, prefix = 24): AddressBlock {
  if (prefix < pool.prefix || prefix > 30) {
    throw invalidBlock(
      `nodes cannot have /${prefix} blocks of the pool ${formatBlock(pool)}; choose /${Math.max(pool.prefix, 24)} to /30`,
    )
  }
  const count = nodeBlockCount(pool, prefix)
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new BerthError(
      'network.pool-exhausted',
      `the pool ${formatBlock(pool)} has ${count} blocks of /${prefix}, none with number ${index}; remove unused nodes or choose a larger pool`,
      { details: { index, count } },
    )
  }
  return { base: pool.base + index * 2 ** (32 - prefix), prefix }
}

/** The bridge's address, which is the containers' default gateway: the first after the network's own. */
export const gatewayOf = (block: AddressBlock): string => formatAddress(block.base + 1)

/** First and last address that an instance may have. The network's, the gateway's (.1) and the broadcast address are reserved. */
function usableRange(block: AddressBlock, kept: number): readonly [first: number, last: number] {
  return [block.base + 2, lastOf(block) - 1 - kept]
}

/** How many instances a block can hold at once. `kept`: how many addresses at its end are not for instances. */
export function usableCount(block: AddressBlock, kept = 0): number {
  const [first, last] = usableRange(block, kept)
  return Math.max(0, last - first + 1)
}

/**
 * The next free address for an instance, or undefined when the block is full. It goes round from the address after `after` (the one
 * given out last), so that a freed address rests as long as possible: peers still hold connections and names of its last owner.
 * An `after` outside the usable range starts at the first address. `kept`: how many addresses at the end are never given.
 */
export function firstFreeAddress(
  block: AddressBlock,
  used: ReadonlySet<string> | ((address: string) => boolean),
  after?: string,
  kept = 0,
): string | undefined {
  const isUsed = typeof used === 'function' ? used : (address: string) => used.has(address)
  const [first, last] = usableRange(block, kept)
  const count = usableCount(block, kept)
  const previous = after === undefined ? undefined : tryParseAddress(after)
  const start = previous !== undefined && previous >= first && previous < last ? previous + 1 : first
  for (let step = 0; step < count; step++) {
    const address = formatAddress(first + ((start - first + step) % count))
    if (!isUsed(address)) return address
  }
  return undefined
}
