import { type AddressBlock, containsAddress, parseBlock, tryParseAddress } from './address-block.ts'
import { type AddressBlock6, containsAddress6, parseBlock6, tryParseAddress6 } from './address6.ts'

/** Ranges of addresses, of both versions. */
export class AddressRanges {
  readonly #blocks: readonly AddressBlock[]
  readonly #blocks6: readonly AddressBlock6[]

  constructor(...texts: readonly string[]) {
    this.#blocks = texts.filter((text) => !text.includes(':')).map(parseBlock)
    this.#blocks6 = texts.filter((text) => text.includes(':')).map(parseBlock6)
  }

  has(address: string): boolean {
    const value = tryParseAddress(address)
    if (value !== undefined) return this.#blocks.some((block) => containsAddress(block, value))
    const value6 = tryParseAddress6(address)
    return value6 !== undefined && this.#blocks6.some((block) => containsAddress6(block, value6))
  }
}

/** That mean everybody, or nobody. */
export const nobodysAddresses = new AddressRanges('0.0.0.0/8', '224.0.0.0/3', '::/128', '::ffff:0:0/96', 'ff00::/8')

/** That mean the asker's own machine, a link, everybody or nobody: instances reach nothing there. */
export const unreachableAddresses = new AddressRanges(
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'],
  ...['::/8', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
)

/** Link-local addresses of IPv6 say nothing without their link. */
export const linkLocalAddresses = new AddressRanges('fe80::/10')
