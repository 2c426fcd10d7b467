import { messageOf } from '../model/berth-error.ts'
import { containsAddress, formatAddress, formatBlock, parseBlock, tryParseAddress } from '../network/address-block.ts'
import { type Parsed, parsed, refused } from '../spec/spec-issue.ts'
import type { PolicyNet } from './profile.ts'

/** `10.0.0.0/8`, `10.1.2.3`, `2001:db8::/32`. */
export function parseNet(text: string): Parsed<PolicyNet> {
  if (text.includes(':')) return parseNet6(text.toLowerCase())
  const address = tryParseAddress(text)
  if (address !== undefined) return parsed({ family: 4, block: { base: address, prefix: 32 } })
  try {
    return parsed({ family: 4, block: parseBlock(text) })
  } catch (error) {
    return refused(messageOf(error))
  }
}

function parseNet6(text: string): Parsed<PolicyNet> {
  const [address = '', prefix = '128', ...rest] = text.split('/')
  const good = rest.length === 0 && isAddress6(address) && /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= 128
  return good
    ? parsed({ family: 6, text: `${address}/${prefix}` })
    : refused(`"${text}" is no network`, 'write one such as 10.0.0.0/8 or 2001:db8::/32')
}

/** Eight groups, or fewer around one `::`. */
function isAddress6(text: string): boolean {
  const [head = '', tail, ...rest] = text.split('::')
  if (rest.length > 0) return false
  const groups = [head, tail ?? ''].flatMap((part) => (part === '' ? [] : part.split(':')))
  const isWhole = tail === undefined ? groups.length === 8 : groups.length < 8
  return isWhole && groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))
}

/** Of version 4. */
export const netHas = (net: PolicyNet, address: number): boolean =>
  net.family === 4 && containsAddress(net.block, address)

export const formatNet = (net: PolicyNet): string => {
  if (net.family === 6) return net.text
  return net.block.prefix === 32 ? formatAddress(net.block.base) : formatBlock(net.block)
}
