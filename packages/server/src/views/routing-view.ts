import type { RoutingView } from '@berth/api'
import type { Routing } from '../routing/routing.ts'

export function routingView({ settings, plan }: Pick<Routing, 'settings' | 'plan'>): RoutingView {
  const { mode, as, sites, meshUpTo, reflectors, peers, updatedAt, updatedBy } = settings
  return {
    ...{ mode, as, sites: { ...sites }, meshUpTo, reflectors },
    peers: peers.map(({ sealed, ...peer }) => ({ ...peer, hasPassword: sealed !== undefined })),
    ...{ mesh: plan.isMesh, without: [...plan.without] },
    reflectorsOf: Object.fromEntries(Object.entries(plan.reflectors).map(([site, nodes]) => [site, [...nodes]])),
    ...(updatedAt === 0 ? {} : { updatedAt, updatedBy }),
  }
}
