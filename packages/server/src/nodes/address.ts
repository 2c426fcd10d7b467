import { isIP } from 'node:net'
import { BerthError } from '@berth/core'

/** Throws `node.invalid-address`. */
export function checkAddress({ name, address }: { readonly name: string; readonly address: string }): void {
  if (isIP(address) !== 0) return
  throw new BerthError(
    'node.invalid-address',
    `${JSON.stringify(address)} is no IP address at which other nodes reach ${name}`,
  )
}
