import { BerthError } from '../model/berth-error.ts'
import {
  type AddressBlock,
  containsAddress,
  containsBlock,
  formatAddress,
  formatBlock,
  parseAddress,
  parseBlock,
} from './address-block.ts'
import {
  type AddressBlock6,
  blocksOverlap6,
  formatAddress6,
  formatBlock6,
  parseBlock6,
  tryParseAddress6,
} from './address6.ts'

/** An address pool with IPv6, as it is told to nodes and kept: texts. */
export interface TwinPool {
  /** Of IPv4: `10.77.0.0/16`. */
  readonly range: string
  /** `fd77:1::/64` */
  readonly ipv6: string
}

/** The same, to be asked. */
export interface TwinRange {
  readonly range: AddressBlock
  /** The first 96 bits of every IPv6 address. */
  readonly high: bigint
}

const longestPrefix = 96
const shortestPrefix = 16

/** In these nobody has an address that others are routed to. */
const unusable: readonly (readonly [block: string, what: string])[] = [
  ['::/8', 'holds loopback and forms of IPv4'],
  ['fe80::/10', 'is link-local'],
  ['fec0::/10', 'is not used any more'],
  ['ff00::/8', 'is multicast'],
]

/** A prefix that addresses can be made with, in its one form. Throws `network.invalid-block`, `address-pool.unusable`. */
export function checkTwinPrefix(text: string): string {
  const block = parseBlock6(text)
  if (block.prefix < shortestPrefix || block.prefix > longestPrefix)
    throw new BerthError(
      'network.invalid-block',
      `${text} cannot be a pool's IPv6 prefix: behind it come the 32 bits of the IPv4 address; choose /${shortestPrefix} to /${longestPrefix}, e.g. fd77::/64`,
    )
  const special = unusable.find(([each]) => blocksOverlap6(parseBlock6(each), block))
  if (special === undefined) return formatBlock6(block)
  throw new BerthError(
    'address-pool.unusable',
    `${text} shares addresses with ${special[0]}, which ${special[1]}; choose a prefix of your own of fd00::/8, or one that your provider has given you`,
  )
}

export const twinRange = ({ range, ipv6 }: TwinPool): TwinRange => ({
  range: parseBlock(range),
  high: parseBlock6(ipv6).base >> 32n,
})

/** The other way round. */
export const twinPool = ({ range, high }: TwinRange): TwinPool => ({
  range: formatBlock(range),
  ipv6: formatBlock6({ base: high << 32n, prefix: longestPrefix }),
})

const numberOf = (high: bigint, low: number): bigint => (high << 32n) | BigInt(low)

/** The IPv6 address of who has this IPv4 address; undefined: its pool has none. Throws `network.invalid-address`. */
export function twinOf(ranges: readonly TwinRange[], address: string): string | undefined {
  const low = parseAddress(address)
  const found = ranges.find(({ range }) => containsAddress(range, low))
  return found === undefined ? undefined : formatAddress6(numberOf(found.high, low))
}

/** The IPv4 address of who has this IPv6 address; undefined: it is in no pool. */
export function twinned(ranges: readonly TwinRange[], address6: string): string | undefined {
  const value = tryParseAddress6(address6)
  if (value === undefined) return undefined
  const low = Number(value & 0xffff_ffffn)
  const isOf = ({ range, high }: TwinRange): boolean => high === value >> 32n && containsAddress(range, low)
  return ranges.some(isOf) ? formatAddress(low) : undefined
}

/** All twins of a block. */
export function twinBlockOf(ranges: readonly TwinRange[], block: AddressBlock): AddressBlock6 | undefined {
  const found = ranges.find(({ range }) => containsBlock(range, block))
  return found === undefined ? undefined : { base: numberOf(found.high, block.base), prefix: 96 + block.prefix }
}
