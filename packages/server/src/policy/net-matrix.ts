import type { MatrixPartyView, NetMatrix } from '@berth/api'
import {
  blocksOf,
  bookedAddress,
  familyOf,
  type MatrixParty,
  type PolicyWorld,
  parseBlock,
  policyMatrix,
  twinOf,
} from '@berth/core'
import type { State } from '../records/index.ts'
import { policyWorld } from './net-world.ts'

export interface MatrixQuery {
  readonly by?: 'entrypoint' | 'pool' | undefined
  /** Of which version of IP; 4. */
  readonly family?: 4 | 6 | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly fromOffset?: number | undefined
  readonly toOffset?: number | undefined
  readonly limit?: number | undefined
}

const usualLimit = 40

/** Who may talk to whom, by the rules of now: so many rows and columns of it. */
export function netMatrix(state: State, query: MatrixQuery): NetMatrix {
  const { by = 'entrypoint', family = 4, fromOffset = 0, toOffset = 0, limit = usualLimit } = query
  const world = policyWorld(state)
  const parties = partiesOf(state, world, by, family)
  const rows = part(parties, query.from, fromOffset, limit)
  const columns = part(parties, query.to, toOffset, limit)
  const inside = [...state.nodes.values()].flatMap((node) => blocksOf(node).map(parseBlock))
  return {
    from: { ...rows, parties: rows.parties.map((party) => partyView(party, world)) },
    to: { ...columns, parties: columns.parties.map((party) => partyView(party, world)) },
    cells: policyMatrix(rows.parties, columns.parties, world, inside, family).map((row) =>
      row.map(({ allows, ...cell }) => ({ ...cell, allows: [...allows] })),
    ),
    hasIpv6: world.twins !== undefined || [...(world.externals?.keys() ?? [])].some((each) => familyOf(each) === 6),
  }
}

/** By name; then external services, and what is outside. */
function partiesOf(state: State, { twins = [] }: PolicyWorld, by: 'entrypoint' | 'pool', family: 4 | 6): MatrixParty[] {
  const addresses = new Map<string, string[]>()
  for (const { address: own, app, pool, entrypoint, desired } of state.instances.values()) {
    const address = own === undefined || family === 4 ? own : twinOf(twins, own)
    if (address === undefined || desired === 'stop') continue
    const name = by === 'pool' ? `${app}/${pool}` : `${app}/${pool}/${entrypoint}`
    const others = addresses.get(name)
    if (others === undefined) addresses.set(name, [address])
    else others.push(address)
  }
  // Networks and ICMP of the other version say nothing of it.
  const externals = [...state.externals.values()]
    .map(({ name, addresses: all }) => ({ name, addresses: all.filter((address) => familyOf(address) === family) }))
    .filter((each) => each.addresses.length > 0)
  return [
    ...[...addresses].map(([name, all]): MatrixParty => ({ name, kind: 'instances', addresses: all })).sort(byName),
    ...externals
      .map((each): MatrixParty => ({ name: each.name, kind: 'external', addresses: each.addresses }))
      .sort(byName),
    { name: '', kind: 'outside', addresses: [] },
  ]
}

const byName = (a: MatrixParty, b: MatrixParty): number => (a.name < b.name ? -1 : Number(a.name > b.name))

function part(parties: readonly MatrixParty[], filter = '', offset: number, limit: number) {
  const wanted = filter.trim().toLowerCase()
  const fitting = parties.filter(({ name, kind }) => (kind === 'outside' ? kind : name.toLowerCase()).includes(wanted))
  return { parties: fitting.slice(offset, offset + limit), total: fitting.length, offset }
}

function partyView({ name, kind, addresses }: MatrixParty, world: PolicyWorld): MatrixPartyView {
  const lists = new Map<string, string[]>()
  if (kind === 'instances')
    for (const address of addresses) {
      const profiles = world.endpoints.get(bookedAddress(world, address))?.profiles ?? []
      lists.set(profiles.join(), [...profiles])
    }
  return { name, kind, profiles: [...lists.values()], addresses: addresses.length }
}
