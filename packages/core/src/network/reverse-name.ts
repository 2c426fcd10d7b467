import { formatAddress6 } from './address6.ts'

const pattern4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/
const pattern6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/

/** `5.3.77.10.in-addr.arpa` → `10.77.3.5`; below `ip6.arpa` one of IPv6 in its one form. */
export function addressOfReverse(name: string): string | undefined {
  const match = pattern4.exec(name)
  if (match !== null) return `${match[4]}.${match[3]}.${match[2]}.${match[1]}`
  const nibbles = pattern6.exec(name)?.[1]
  if (nibbles === undefined) return undefined
  const digits = nibbles.replaceAll('.', '').split('').reverse().join('')
  return formatAddress6(BigInt(`0x${digits}`))
}
