import type { AddressBlock } from '../network/address-block.ts'
import { twinBlockOf } from '../network/twin-address.ts'
import { outsideAddresses, outsideAddresses6 } from './outside-addresses.ts'
import {
  isEverything,
  isNothing,
  isSameReach,
  joinReach,
  type PacketReach,
  reachBetween,
  reachWords,
} from './packet-reach.ts'
import { formatNet, netHas } from './policy-net.ts'
import { bookedAddress, type PolicyWorld } from './policy-world.ts'
import type { PolicyNet } from './profile.ts'

/** A row or a column: an entrypoint, a pool, an external service, or all that is outside. */
export interface MatrixParty {
  readonly name: string
  readonly kind: 'instances' | 'external' | 'outside'
  /** Of one version, that of the matrix. Of `outside` none: they follow from the rules. */
  readonly addresses: readonly string[]
}

export interface MatrixCell {
  /** Everything passes, some of it, nothing; `unasked`: no instance is on either end, so nobody is asked. */
  readonly verdict: 'all' | 'some' | 'none' | 'unasked'
  /** What passes, where it is some: `tcp:3306`. */
  readonly allows: readonly string[]
  /** Not the same for all addresses of both. */
  readonly isMixed: boolean
}

/** Addresses that no rule tells apart from the first one. */
interface Kind {
  readonly address: string
  readonly key: string
}

/**
 * Who may talk to whom, by one version of IP: a row for each of `from`, in it a cell for each of `to`. `inside`: blocks of nodes, of IPv4 in any case.
 */
export function policyMatrix(
  from: readonly MatrixParty[],
  to: readonly MatrixParty[],
  world: PolicyWorld,
  inside: readonly AddressBlock[] = [],
  family: 4 | 6 = 4,
): MatrixCell[][] {
  const nets = namedNets([...from, ...to], world, family)
  const outside = strangers(nets, world, inside, family)
  const kinds = ({ kind, addresses }: MatrixParty) => kindsOf(kind === 'outside' ? outside : addresses, nets, world)
  const columns = to.map((party) => ({ party, kinds: kinds(party) }))
  const known = new Map<string, PacketReach>()
  const reach = (source: Kind, destination: Kind): PacketReach => {
    const key = `${source.key}\n${destination.key}`
    const found = known.get(key) ?? reachBetween(source.address, destination.address, world)
    known.set(key, found)
    return found
  }
  return from.map((party) => {
    const sources = kinds(party)
    return columns.map((column) =>
      party.kind !== 'instances' && column.party.kind !== 'instances'
        ? { verdict: 'unasked', allows: [], isMixed: false }
        : cellOf(
            sources.flatMap((source) => column.kinds.map((destination) => reach(source, destination))),
            family,
          ),
    )
  })
}

function cellOf(reaches: readonly PacketReach[], family: 4 | 6): MatrixCell {
  const [first, ...others] = reaches
  if (first === undefined) return { verdict: 'unasked', allows: [], isMixed: false }
  const all = others.reduce((a, b) => (isSameReach(a, b) ? a : joinReach(a, b)), first)
  const isMixed = others.some((each) => !isSameReach(first, each))
  if (isNothing(all)) return { verdict: 'none', allows: [], isMixed }
  if (!isMixed && isEverything(all)) return { verdict: 'all', allows: [], isMixed }
  return { verdict: 'some', allows: reachWords(all, family), isMixed }
}

/** One address of nobody for each part of what is outside that rules tell apart. */
function strangers(
  nets: readonly PolicyNet[],
  world: PolicyWorld,
  inside: readonly AddressBlock[],
  family: 4 | 6,
): string[] {
  if (family === 4) {
    const blocks = nets.flatMap((net) => (net.family === 4 ? [net.block] : []))
    return outsideAddresses(world, blocks, inside)
  }
  const blocks = nets.flatMap((net) => (net.family === 6 ? [net.block] : []))
  const twins = inside.flatMap((block) => twinBlockOf(world.twins ?? [], block) ?? [])
  return outsideAddresses6(world, blocks, twins)
}

/** Networks of this version that rules of these parties' profiles name, each once. */
function namedNets(parties: readonly MatrixParty[], world: PolicyWorld, family: 4 | 6): PolicyNet[] {
  const profiles = new Set(
    parties.flatMap(({ addresses }) =>
      addresses.flatMap((address) => world.endpoints.get(bookedAddress(world, address))?.profiles ?? []),
    ),
  )
  const nets = new Map<string, PolicyNet>()
  for (const name of profiles) {
    const { inbound = [], outbound = [] } = world.profiles.get(name) ?? {}
    for (const { source, destination } of [...inbound, ...outbound])
      for (const { net } of [source, destination]) if (net?.family === family) nets.set(formatNet(net), net)
  }
  return [...nets.values()]
}

/** One address of each kind. Profiles decide, tags of external services, networks, and whether it is a node's. */
function kindsOf(addresses: readonly string[], nets: readonly PolicyNet[], world: PolicyWorld): Kind[] {
  const kinds = new Map<string, Kind>()
  for (const address of addresses) {
    const booked = bookedAddress(world, address)
    const key = [
      world.endpoints.get(booked)?.profiles.join() ?? '-',
      world.externals?.get(address)?.join() ?? '',
      world.nodes.has(booked) ? address : '',
      nets.map((net) => (netHas(net, address) ? 1 : 0)).join(''),
    ].join(' ')
    if (!kinds.has(key)) kinds.set(key, { address, key })
  }
  return [...kinds.values()]
}
