import {
  type AddressPool,
  AddressRanges,
  BerthError,
  checkTwinPrefix,
  formatBlock6,
  parseBlock,
  twinBlockOf,
  twinRange,
} from '@berth/core'
import type { State } from '../records/index.ts'

/** The range of IPv6 that a pool's addresses are in. */
export function range6Of({ range, ipv6 }: Pick<AddressPool, 'range' | 'ipv6'>): string | undefined {
  if (ipv6 === undefined) return undefined
  const block = twinBlockOf([twinRange({ range, ipv6 })], parseBlock(range))
  return block === undefined ? undefined : formatBlock6(block)
}

/**
 * A pool that is given a prefix, which then stays. On nodes in routed mode what runs goes on without; a bridge has the addresses that its network was made with. Throws
 * `network.invalid-block`, `address-pool.unusable`, `address-pool.ipv6-set`, `address-pool.in-use`, `address-pool.collides`, `address-pool.ipv6-routes`.
 */
export function withIpv6(
  state: State,
  pool: AddressPool,
  text: string,
  { nodes, now }: { readonly nodes: readonly string[]; readonly now: number },
): AddressPool {
  const ipv6 = checkTwinPrefix(text)
  const { name } = pool
  if (pool.ipv6 === ipv6) return pool
  if (pool.ipv6 !== undefined)
    throw new BerthError(
      'address-pool.ipv6-set',
      `address pool ${name} has the IPv6 prefix ${pool.ipv6} already, by which addresses were given out; it stays`,
    )
  const busy = nodes.filter((node) => state.instances.byNode(node).length > 0)
  const bridged = busy.filter((node) => !isRoutedNow(state, node))
  if (bridged.length > 0)
    throw new BerthError(
      'address-pool.in-use',
      `give address pool ${name} the IPv6 prefix ${ipv6}: instances run with addresses of it on ${bridged.slice(0, 5).join(', ')}${bridged.length > 5 ? ` and ${bridged.length - 5} more nodes` : ''}, where Docker's network has to be made anew for it; empty these nodes first (berth node drain), have them in routed mode (berth up --network routed), or make a new pool with --ipv6`,
      { details: { pool: name, nodes: bridged.slice(0, 100) } },
    )
  const made = { ...pool, ipv6, ...(busy.length === 0 ? {} : { ipv6Since: now }) }
  requireFree(state, made)
  requireRoutes6(state, `address pool ${name} cannot have IPv6`)
  return made
}

function isRoutedNow(state: State, node: string): boolean {
  const { driver, wanted } = state.nodeStatuses.get(node)?.network ?? {}
  return driver === 'routed' && wanted === undefined
}

function requireFree(state: State, pool: AddressPool): void {
  const range = range6Of(pool)
  if (range === undefined) return
  const taken = new AddressRanges(range)
  for (const { name, address } of state.nodes.values())
    if (taken.has(address)) throw collides(pool, range, `the address of node ${name}`)
  for (const { name, addresses } of state.externals.all())
    if (addresses.some((address) => taken.has(address))) throw collides(pool, range, `the external service ${name}`)
}

const collides = ({ name }: AddressPool, range: string, what: string): BerthError =>
  new BerthError(
    'address-pool.collides',
    `address pool ${name}: ${range} shares addresses with ${what}; choose another IPv6 prefix`,
    { details: { what } },
  )

/** Throws `address-pool.ipv6-routes`. */
export function requireRoutes6(state: State, why: string): void {
  const mode = [...state.routings.values()][0]?.mode ?? 'static'
  if (mode === 'cloud') throw ipv6Routes(why)
}

export const ipv6Routes = (why: string): BerthError =>
  new BerthError(
    'address-pool.ipv6-routes',
    `${why}: entries of a provider’s route table (routes cloud) are of IPv4; routes of IPv6 are static, or come by BGP`,
  )
