import { type AddressOwner, addressOwners, BerthError, canonicalAddress, type Instance, twinned } from '@berth/core'
import { twinRangesOf } from '../addresses/twin-pools.ts'
import { reachedAddress, withReachedAddress } from '../lans/lan-nodes.ts'
import type { State } from '../records/index.ts'
import { instanceCalled } from './instance-called.ts'
import { policyNodes } from './net-world.ts'

export const ownersOf = (state: State): ((address: string) => AddressOwner) =>
  addressOwners(reachedInstances(state), policyNodes(state), externalNames(state), twinRangesOf(state))

function* reachedInstances(state: State): Generator<Instance> {
  for (const instance of state.instances.values()) yield withReachedAddress(state, instance)
}

const externalNames = (state: State): Map<string, string> =>
  new Map(
    [...state.externals.values()].flatMap(({ name, addresses }) => addresses.map((each) => [each, name] as const)),
  )

/**
 * Addresses of what somebody asks for: an instance, APP, APP/ENTRYPOINT, APP/POOL/ENTRYPOINT, an external service, or an address itself; undefined: of everything.
 * Throws `net.unknown-end`, `net.no-instance`.
 */
export function addressesOf(state: State, text: string | undefined): ReadonlySet<string> | undefined {
  if (text === undefined) return undefined
  const asked = canonicalAddress(text)
  if (asked !== undefined) return new Set([asked])
  const external = state.externals.get(text)
  if (external !== undefined && external.addresses.length > 0) return new Set(external.addresses)
  const one = instanceCalled(state, text)
  const [app = '', second, third, ...rest] = text.split('/')
  if (one === undefined && (!state.apps.has(app) || rest.length > 0))
    throw new BerthError(
      'net.unknown-end',
      `${text} is nothing that sends or is sent to here: name an instance, APP, APP/ENTRYPOINT, APP/POOL/ENTRYPOINT, an external service or an address`,
    )
  const entrypoint = third ?? second
  const all = one === undefined ? state.instances.byApp(app) : [one]
  const found = all.filter(
    (each) =>
      one !== undefined ||
      ((entrypoint === undefined || each.entrypoint === entrypoint) && (third === undefined || each.pool === second)),
  )
  const addresses = new Set(found.flatMap((each) => reachedAddress(state, each) ?? []))
  if (addresses.size > 0) return addresses
  throw new BerthError('net.no-instance', `there is no instance of ${text} with an address; see: berth ps ${app}`)
}

/**
 * Nodes that run instances; with `addresses` those that know of packets to or from one of these: the nodes that they are on, and all where one
 * belongs to no instance.
 */
export function nodesToAsk(state: State, addresses?: ReadonlySet<string>): Set<string> {
  const twins = twinRangesOf(state)
  const booked = new Set([...(addresses ?? [])].map((address) => twinned(twins, address) ?? address))
  const nodes = new Set<string>()
  const own = new Set<string>()
  const found = new Set<string>()
  for (const { address, node } of state.instances.values()) {
    if (address === undefined || node === undefined) continue
    nodes.add(node)
    if (!booked.has(address)) continue
    own.add(node)
    found.add(address)
  }
  return addresses !== undefined && found.size === booked.size ? own : nodes
}
