import type { Instance } from '../model/instance.ts'
import { lanOf } from '../network/network-mode.ts'
import { type TwinRange, twinned } from '../network/twin-address.ts'
import type { PolicyNode } from './policy-world.ts'

/** Whose an address is. */
export interface AddressOwner {
  readonly kind: 'instance' | 'node' | 'external' | 'outside'
  /** The instance's, the node's or the external service's; of what is outside its address. */
  readonly name: string
  readonly address: string
  readonly node?: string
  /** Of an instance: `shop/production/web`. */
  readonly entrypoint?: string
}

export type OwnedInstance = Pick<
  Instance,
  'id' | 'app' | 'pool' | 'entrypoint' | 'address' | 'network' | 'node' | 'desired' | 'createdAt'
>

/** `instances`: each with the address at which it is reached. `externals`: names of external services by address. An address may be somebody's who is on the way out and somebody's who comes: it is theirs who are to run, then of who was made last. */
export function addressOwners(
  instances: Iterable<OwnedInstance>,
  nodes: ReadonlyMap<string, PolicyNode>,
  externals: ReadonlyMap<string, string> = new Map(),
  twins: readonly TwinRange[] = [],
): (address: string) => AddressOwner {
  const owners = new Map<string, OwnedInstance>()
  for (const instance of instances) {
    const { address, network } = instance
    // In a network of its node alone its address is the node's, as is what is sent from there.
    if (address === undefined || (network !== undefined && lanOf(network) === undefined)) continue
    const other = owners.get(address)
    if (other === undefined || isBefore(instance, other)) owners.set(address, instance)
  }
  return (address) => {
    const booked = twinned(twins, address) ?? address
    const instance = owners.get(booked)
    if (instance !== undefined) return ownerOf(instance, address)
    const node = nodes.get(booked)
    if (node !== undefined) return { kind: 'node', name: node.name, address, node: node.name }
    const external = externals.get(address)
    return external === undefined
      ? { kind: 'outside', name: address, address }
      : { kind: 'external', name: external, address }
  }
}

const isBefore = (a: OwnedInstance, b: OwnedInstance): boolean => {
  const [first, second] = [Number(a.desired !== 'stop'), Number(b.desired !== 'stop')]
  return first === second ? a.createdAt > b.createdAt : first > second
}

function ownerOf({ id, app, pool, entrypoint, node }: OwnedInstance, address: string): AddressOwner {
  const where = node === undefined ? {} : { node }
  return { kind: 'instance', name: id, address, ...where, entrypoint: `${app}/${pool}/${entrypoint}` }
}
