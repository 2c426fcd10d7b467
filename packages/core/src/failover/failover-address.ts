import { BerthError } from '../model/berth-error.ts'
import {
  type AddressBlock,
  blocksOverlap,
  containsAddress,
  parseBlock,
  tryParseAddress,
} from '../network/address-block.ts'
import {
  type AddressBlock6,
  blocksOverlap6,
  canonicalAddress,
  containsAddress6,
  parseBlock6,
  tryParseAddress6,
} from '../network/address6.ts'
import type { RoutesMode } from '../network/bgp-settings.ts'

/**
 * `vrrp`: one gateway at a time holds the address in its layer 2 network, by keepalived. `bgp`: every gateway that is well has it, and tells
 * the routers.
 */
export const failoverWays = ['vrrp', 'bgp'] as const
export type FailoverWay = (typeof failoverWays)[number]

/** An address of the gateways' own that stays reachable when one of them dies. Key `/failover-addresses/<address>`. */
export interface FailoverAddress {
  /** In canonical form. */
  readonly address: string
  /** Of the gateways that may hold it. Absent: all. */
  readonly site?: string
  /** Absent: as the cluster's routes are. */
  readonly by?: FailoverWay
  /** Number of its virtual router in VRRP, 1 to 255; no two have the same. */
  readonly router: number
  readonly createdAt: number
  readonly createdBy: string
}

export const maxFailoverAddresses = 64

/** That mean the asker's own machine, a link, everybody or nobody. */
const unusable = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parseBlock)
const unusable6 = ['::/127', 'fe80::/10', 'ff00::/8', '::ffff:0:0/96'].map(parseBlock6)

/** The way of an address; undefined: in this mode there is none. */
export function failoverWay({ by }: Pick<FailoverAddress, 'by'>, mode: RoutesMode): FailoverWay | undefined {
  if (mode === 'cloud') return undefined
  if (mode === 'static') return by === 'bgp' ? undefined : 'vrrp'
  return by ?? 'bgp'
}

/** In canonical form. Throws `failover.invalid-address`. */
export function checkFailoverAddress(text: string): string {
  const address = canonicalAddress(text)
  if (address === undefined)
    throw invalid(
      `${JSON.stringify(text.slice(0, 60))} is no address; write e.g. 192.0.2.10 or 2001:db8::10, without a prefix length`,
    )
  const special = address.includes(':')
    ? unusable6.some((each) => containsAddress6(each, tryParseAddress6(address) ?? 0n))
    : unusable.some((each) => containsAddress(each, address))
  if (special) throw invalid(`${address} is of a range that no gateway can have an address of`)
  return address
}

/** Of what somebody has already: a range or an address. */
export interface TakenAddresses {
  /** `node g1`, `the address pool default` */
  readonly what: string
  /** `10.77.0.0/16`, or one address. */
  readonly range: string
}

/** Who has it already; undefined: nobody that is known. */
export const takenBy = (address: string, taken: readonly TakenAddresses[]): TakenAddresses | undefined =>
  taken.find(({ range }) => isWithin(address, range))

/** False where it is of the other family. */
export function isWithin(address: string, range: string): boolean {
  if (address.includes(':') !== range.includes(':')) return false
  if (!address.includes(':')) return blocksOverlap(blockAt(range), blockAt(address))
  return blocksOverlap6(blockAt6(range), blockAt6(address))
}

const blockAt = (range: string): AddressBlock => {
  const [address = '', prefix = '32'] = range.split('/')
  const size = Number(prefix)
  const base = tryParseAddress(address) ?? 0
  return { base: base - (base % 2 ** (32 - size)), prefix: size }
}

const blockAt6 = (range: string): AddressBlock6 => {
  const [address = '', prefix = '128'] = range.split('/')
  const base = tryParseAddress6(address) ?? 0n
  return { base: base - (base % 2n ** BigInt(128 - Number(prefix))), prefix: Number(prefix) }
}

/** The lowest number that none of them has. Throws `failover.too-many`. */
export function freeRouter(addresses: readonly Pick<FailoverAddress, 'router'>[]): number {
  const taken = new Set(addresses.map(({ router }) => router))
  for (let router = 1; router <= 255 && addresses.length < maxFailoverAddresses; router += 1)
    if (!taken.has(router)) return router
  throw new BerthError(
    'failover.too-many',
    `there are ${addresses.length} failover addresses already; remove one first: berth gateway address rm`,
  )
}

const invalid = (why: string): BerthError => new BerthError('failover.invalid-address', `a failover address: ${why}`)
