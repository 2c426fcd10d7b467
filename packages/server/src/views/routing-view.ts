import type { CloudTableView, RoutingView } from '@berth/api'
import type { WantedRoute } from '@berth/core'
import type { CloudTableRecord, CloudTableStatus, State } from '../records/index.ts'
import type { Routing } from '../routing/routing.ts'

export function routingView({ settings, plan }: Pick<Routing, 'settings' | 'plan'>, state: State): RoutingView {
  const {
    tables = [],
    mode,
    as,
    sites,
    meshUpTo,
    reflectors,
    peers,
    searchDomains = [],
    consulDomain,
    updatedAt,
    updatedBy,
  } = settings
  return {
    ...{ mode, as, sites: { ...sites }, meshUpTo, reflectors },
    peers: peers.map(({ sealed, ...peer }) => ({ ...peer, hasPassword: sealed !== undefined })),
    tables: tables.map((table) => tableView(table, state.cloudTables.get(table.name))),
    searchDomains: [...searchDomains],
    ...(consulDomain === undefined ? {} : { consulDomain }),
    ...{ mesh: plan.isMesh, without: [...plan.without] },
    reflectorsOf: Object.fromEntries(Object.entries(plan.reflectors).map(([site, nodes]) => [site, [...nodes]])),
    ...(updatedAt === 0 ? {} : { updatedAt, updatedBy }),
  }
}

const plain = ({ node, destination, nextHop }: WantedRoute) => ({ node, destination, nextHop })

function tableView({ sealed, ...table }: CloudTableRecord, status: CloudTableStatus | undefined): CloudTableView {
  const { inForce = [], pending = [], failed = [], problem } = status ?? {}
  return {
    ...{ ...table, hasToken: sealed !== undefined, inForce: inForce.map(plain), pending: pending.map(plain) },
    failed: failed.map(({ why, ...route }) => ({ ...plain(route), why })),
    ...(problem === undefined ? {} : { problem }),
  }
}
