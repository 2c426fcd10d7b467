import {
  type AddressBlock,
  blockSize,
  containsAddress,
  firstFreeAddress,
  formatAddress,
  parseAddress,
  parseBlock,
} from './address-block.ts'

export const networkDrivers = ['bridge', 'routed'] as const

/** How a node joins its containers: by a bridge, or by a veth and a route for each. */
export type NetworkDriver = (typeof networkDrivers)[number]

/** The default gateway of every routed container, the same on every node. */
export const routedGateway = '169.254.77.1'

/**
 * The same of IPv6, on the host's end of every link: link-local, for what is on `lo` no neighbour is answered for. It is made of the other
 * as nodes' are (`fe80::be:` and the IPv4 address).
 */
export const routedGateway6 = 'fe80::be:a9fe:4d01'

/**
 * Addresses of links between a node and its containers that have no other way to each other (`nodeLinkNetwork`): link-local, the same on every
 * node, and known to nobody else.
 */
export const nodeLinkRange = '169.254.80.0/20'
/** The hosts' ends of these, as nft writes it. Theirs are the only addresses that begin so. */
export const nodeLinkPattern = 'berth-a9fe5*'

export const isNodeLinkAddress = (address: string): boolean => containsAddress(parseBlock(nodeLinkRange), address)

/** The next free one, round from the one given last; undefined when there is none. */
export const nextNodeLinkAddress = (isUsed: (address: string) => boolean, last?: string): string | undefined =>
  firstFreeAddress(parseBlock(nodeLinkRange), isUsed, last)

/** The hosts' ends of routed containers' links, and nothing else, begin with this. */
export const routedLinkPrefix = 'berth-'

const linkPattern = /^berth-([0-9a-f]{8})$/

const hexOf = (address: string): string => parseAddress(address).toString(16).padStart(8, '0')

/** Made from the address, so that two containers cannot have one: `berth-0a4d010b`. Throws `network.invalid-address`. */
export const routedLinkOf = (address: string): string => `${routedLinkPrefix}${hexOf(address)}`

/** What the container's end is called until Docker takes it into the container. */
export const routedPeerOf = (address: string): string => `berthc${hexOf(address)}`

/** The address of the container behind a link; undefined for links that are none of ours. */
export function addressOfRoutedLink(link: string): string | undefined {
  const hex = linkPattern.exec(link)?.[1]
  return hex === undefined ? undefined : formatAddress(Number.parseInt(hex, 16))
}

/** Locally administered and of one machine, so that it is no other's: `be:00:0a:4d:01:0b`. */
export const macOf = (address: string): string => `be:00:${(hexOf(address).match(/../g) ?? []).join(':')}`

/** A range of addresses, both ends included. */
export interface AddressRange {
  readonly first: string
  readonly last: string
}

/** How many addresses at the end of its block a node keeps from instances, for containers that are started by hand. */
export const ownAddressCount = (block: AddressBlock): number => Math.floor(blockSize(block) / 16)

/** The node's own part of its block; undefined when the block is too small to have one. */
export function ownAddresses(block: AddressBlock): AddressRange | undefined {
  const count = ownAddressCount(block)
  if (count === 0) return undefined
  const last = block.base + blockSize(block) - 2
  return { first: formatAddress(last - count + 1), last: formatAddress(last) }
}

export function isOwnAddress(block: AddressBlock, address: string): boolean {
  const range = ownAddresses(block)
  if (range === undefined) return false
  const value = parseAddress(address)
  return value >= parseAddress(range.first) && value <= parseAddress(range.last)
}

/** All of them. */
export function ownAddressList(block: AddressBlock): readonly string[] {
  const range = ownAddresses(block)
  if (range === undefined) return []
  const first = parseAddress(range.first)
  return Array.from({ length: ownAddressCount(block) }, (_, index) => formatAddress(first + index))
}

/** The next free one of the node's own part, round from the one given last; undefined when there is none. */
export const nextOwnAddress = (
  block: AddressBlock,
  isUsed: (address: string) => boolean,
  last?: string,
): string | undefined => firstFreeAddress(block, (address) => !isOwnAddress(block, address) || isUsed(address), last)
