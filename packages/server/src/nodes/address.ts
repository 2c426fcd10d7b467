import { isIP } from 'node:net'
import { BerthError } from '@berth/core'
import type { State } from '../records/index.ts'

/** Throws `node.invalid-address`. */
export function checkAddress({ name, address }: { readonly name: string; readonly address: string }): void {
  if (isIP(address) !== 0) return
  throw new BerthError(
    'node.invalid-address',
    `${JSON.stringify(address)} is no IP address at which other nodes reach ${name}`,
  )
}

/** Packets for the one would go to the other. Throws `node.invalid-address`. */
export function requireFreeAddress(
  { nodes }: Pick<State, 'nodes'>,
  node: { readonly name: string; readonly address: string },
  remedyOf: (other: string) => string,
): void {
  const other = nodes.all().find(({ name, address }) => address === node.address && name !== node.name)
  if (other === undefined) return
  throw new BerthError(
    'node.invalid-address',
    `${node.address} is where node ${other.name} is reached; ${remedyOf(other.name)}`,
  )
}
