import { type AddressBlock, formatBlock } from '../network/address-block.ts'
import { outsideAddresses } from './outside-addresses.ts'
import {
  isEverything,
  isNothing,
  isSameReach,
  joinReach,
  type PacketReach,
  reachBetween,
  reachWords,
} from './packet-reach.ts'
import { netHas } from './policy-net.ts'
import type { PolicyWorld } from './policy-world.ts'
import type { PolicyNet } from './profile.ts'

/** A row or a column: an entrypoint, a pool, an external service, or all that is outside. */
export interface MatrixParty {
  readonly name: string
  readonly kind: 'instances' | 'external' | 'outside'
  /** Of `outside` none: they follow from the rules. */
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

/** Who may talk to whom: a row for each of `from`, in it a cell for each of `to`. `inside`: blocks of nodes. */
export function policyMatrix(
  from: readonly MatrixParty[],
  to: readonly MatrixParty[],
  world: PolicyWorld,
  inside: readonly AddressBlock[] = [],
): MatrixCell[][] {
  const nets = namedNets([...from, ...to], world)
  const outside = outsideAddresses(
    world,
    nets.map(({ block }) => block),
    inside,
  )
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
        : cellOf(sources.flatMap((source) => column.kinds.map((destination) => reach(source, destination)))),
    )
  })
}

function cellOf(reaches: readonly PacketReach[]): MatrixCell {
  const [first, ...others] = reaches
  if (first === undefined) return { verdict: 'unasked', allows: [], isMixed: false }
  const all = others.reduce((a, b) => (isSameReach(a, b) ? a : joinReach(a, b)), first)
  const isMixed = others.some((each) => !isSameReach(first, each))
  if (isNothing(all)) return { verdict: 'none', allows: [], isMixed }
  if (!isMixed && isEverything(all)) return { verdict: 'all', allows: [], isMixed }
  return { verdict: 'some', allows: reachWords(all), isMixed }
}

type Net = Extract<PolicyNet, { readonly family: 4 }>

/** Networks that rules of these parties' profiles name, each once. */
function namedNets(parties: readonly MatrixParty[], world: PolicyWorld): Net[] {
  const profiles = new Set(
    parties.flatMap(({ addresses }) => addresses.flatMap((address) => world.endpoints.get(address)?.profiles ?? [])),
  )
  const nets = new Map<string, Net>()
  for (const name of profiles) {
    const { inbound = [], outbound = [] } = world.profiles.get(name) ?? {}
    for (const { source, destination } of [...inbound, ...outbound])
      for (const { net } of [source, destination]) if (net?.family === 4) nets.set(formatBlock(net.block), net)
  }
  return [...nets.values()]
}

/** One address of each kind. Profiles decide, tags of external services, networks, and whether it is a node's. */
function kindsOf(addresses: readonly string[], nets: readonly Net[], world: PolicyWorld): Kind[] {
  const kinds = new Map<string, Kind>()
  for (const address of addresses) {
    const key = [
      world.endpoints.get(address)?.profiles.join() ?? '-',
      world.externals?.get(address)?.join() ?? '',
      world.nodes.has(address) ? address : '',
      nets.map((net) => (netHas(net, address) ? 1 : 0)).join(''),
    ].join(' ')
    if (!kinds.has(key)) kinds.set(key, { address, key })
  }
  return [...kinds.values()]
}
