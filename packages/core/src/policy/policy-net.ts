import { messageOf } from '../model/berth-error.ts'
import { containsAddress, formatAddress, formatBlock, parseBlock, tryParseAddress } from '../network/address-block.ts'
import { blockAround6, containsAddress6, formatAddress6, formatBlock6, tryParseAddress6 } from '../network/address6.ts'
import { type Parsed, parsed, refused } from '../spec/spec-issue.ts'
import type { PolicyNet } from './profile.ts'

/** `10.0.0.0/8`, `10.1.2.3`, `2001:db8::/32`. */
export function parseNet(text: string): Parsed<PolicyNet> {
  if (text.includes(':')) return parseNet6(text)
  const address = tryParseAddress(text)
  if (address !== undefined) return parsed({ family: 4, block: { base: address, prefix: 32 } })
  try {
    return parsed({ family: 4, block: parseBlock(text) })
  } catch (error) {
    return refused(messageOf(error))
  }
}

/** Bits behind the prefix are left out: records of a version before may have some. */
function parseNet6(text: string): Parsed<PolicyNet> {
  const [addressText = '', prefix = '128', ...rest] = text.split('/')
  const address = tryParseAddress6(addressText)
  if (address === undefined || rest.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(prefix) || Number(prefix) > 128)
    return refused(`"${text}" is no network`, 'write one such as 10.0.0.0/8 or 2001:db8::/32')
  return parsed({ family: 6, block: blockAround6(address, Number(prefix)) })
}

/** An address of the other version is not in it. */
export function netHas(net: PolicyNet, address: string): boolean {
  if (net.family === 4) return containsAddress(net.block, address)
  const value = tryParseAddress6(address)
  return value !== undefined && containsAddress6(net.block, value)
}

export const formatNet = (net: PolicyNet): string => {
  if (net.family === 6) return net.block.prefix === 128 ? formatAddress6(net.block.base) : formatBlock6(net.block)
  return net.block.prefix === 32 ? formatAddress(net.block.base) : formatBlock(net.block)
}
