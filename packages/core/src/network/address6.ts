import { BerthError } from '../model/berth-error.ts'
import { formatAddress, tryParseAddress } from './address-block.ts'

/** A contiguous range of IPv6 addresses, as in `fd77::/64`. Addresses are integers of 128 bits; `base` never has host bits set. */
export interface AddressBlock6 {
  readonly base: bigint
  readonly prefix: number
}

const groupPattern = /^[0-9a-f]{1,4}$/i
const prefixPattern = /^(0|[1-9]\d{0,2})$/
/** `::ffff:0:0/96`, whose addresses are written with the IPv4 address that they stand for. */
const mapped = 0xffffn

/** The integer of an IPv6 address in any of its notations but those with a zone (`fe80::1%eth0`), or undefined. */
export function tryParseAddress6(text: string): bigint | undefined {
  const [head = '', tail, ...rest] = withoutDots(text)?.split('::') ?? ['x']
  if (rest.length > 0) return undefined
  const [before, after] = [groupsOf(head), groupsOf(tail ?? '')]
  const missing = 8 - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...before, ...Array.from({ length: missing }, () => '0'), ...after]
  if (!groups.every((group) => groupPattern.test(group))) return undefined
  return BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`)
}

const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'))

/** An IPv4 address in place of the last two groups, as two groups; undefined where it is none. */
function withoutDots(text: string): string | undefined {
  if (!text.includes('.')) return text
  const at = text.lastIndexOf(':') + 1
  const low = tryParseAddress(text.slice(at))
  if (low === undefined || at === 0) return undefined
  return `${text.slice(0, at)}${(low >>> 16).toString(16)}:${(low & 0xffff).toString(16)}`
}

/** Throws `network.invalid-address`. */
export function parseAddress6(text: string): bigint {
  const value = tryParseAddress6(text)
  if (value !== undefined) return value
  throw new BerthError('network.invalid-address', `"${text}" is no IPv6 address; write one such as fd77::5`)
}

/** The one form of RFC 5952: lower case, the longest run of zeros as `::`. */
export function formatAddress6(value: bigint): string {
  if (value >> 32n === mapped) return `::ffff:${formatAddress(Number(value & 0xffff_ffffn))}`
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16))
  const [start, length] = longestZeros(groups)
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

function longestZeros(groups: readonly string[]): readonly [start: number, length: number] {
  let best: readonly [number, number] = [0, 0]
  let start = 0
  for (let at = 0; at <= groups.length; at += 1) {
    if (groups[at] === '0') continue
    if (at - start > best[1]) best = [start, at - start]
    start = at + 1
  }
  return best
}

/** Reads `fd77::/64`. Throws `network.invalid-block`, also when host bits are set, naming the block that was probably meant. */
export function parseBlock6(text: string): AddressBlock6 {
  const [address = '', prefixText = '', ...rest] = text.split('/')
  const value = tryParseAddress6(address)
  const prefix = prefixPattern.test(prefixText) ? Number(prefixText) : undefined
  if (value === undefined || prefix === undefined || prefix > 128 || rest.length > 0)
    throw invalidBlock(`"${text}" is no block of IPv6 addresses; write address/prefix, e.g. fd77::/64`)
  const block = blockAround6(value, prefix)
  if (block.base === value) return block
  throw invalidBlock(`"${text}" has bits set behind its prefix; the block around it is ${formatBlock6(block)}`)
}

const invalidBlock = (message: string): BerthError => new BerthError('network.invalid-block', message)

export const formatBlock6 = ({ base, prefix }: AddressBlock6): string => `${formatAddress6(base)}/${prefix}`

export const blockAround6 = (value: bigint, prefix: number): AddressBlock6 => {
  const host = BigInt(128 - prefix)
  return { base: (value >> host) << host, prefix }
}

export const containsAddress6 = ({ base, prefix }: AddressBlock6, value: bigint): boolean =>
  blockAround6(value, prefix).base === base

export const blocksOverlap6 = (a: AddressBlock6, b: AddressBlock6): boolean =>
  a.prefix <= b.prefix ? containsAddress6(a, b.base) : containsAddress6(b, a.base)

/** 4 or 6: of which version an address is; undefined: of neither. */
export function familyOf(address: string): 4 | 6 | undefined {
  if (tryParseAddress(address) !== undefined) return 4
  return tryParseAddress6(address) === undefined ? undefined : 6
}

/** An address of either version in its one form, so that equal ones are equal texts; undefined: none. */
export function canonicalAddress(text: string): string | undefined {
  if (tryParseAddress(text) !== undefined) return text
  const value = tryParseAddress6(text)
  return value === undefined ? undefined : formatAddress6(value)
}
