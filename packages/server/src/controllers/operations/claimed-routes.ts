import { type Pool, type PortRouteSpec, portRouteText, resolvePortRoutes, resolveRoutes } from '@berth/core'
import type { State } from '../../records/index.ts'

export interface ClaimedRoute {
  /** `shop.example.com/api`; of a port `5432/tcp`. */
  readonly route: string
  /** In words: `shop/production`, `external service mysql`. */
  readonly owner: string
  /** One of the two. */
  readonly pool?: Pool
  readonly external?: string
  /** Of a port, on which clients keep their instance. */
  readonly isSticky?: true
}

type OwnRoute = Pick<ClaimedRoute, 'route' | 'isSticky'>

/** Hosts and paths that somebody has, or gets with the rollout under way. */
export function claimedRoutes(state: State): ClaimedRoute[] {
  const ofPools = [...state.pools.values()].flatMap((pool) =>
    pool.removing === true
      ? []
      : routesOf(state, pool).map((route) => ({ ...route, owner: `${pool.app}/${pool.name}`, pool })),
  )
  const ofExternals = [...state.externals.values()].flatMap(({ name, routes }) =>
    routes.map(({ host, path }) => ({ route: `${host}${path}`, owner: `external service ${name}`, external: name })),
  )
  return [...ofPools, ...ofExternals]
}

function routesOf(state: State, pool: Pool): OwnRoute[] {
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const ids = new Set([pool.release, rollout?.to].filter((id) => id !== undefined))
  return [...ids].flatMap((id) => {
    const release = state.releases.find(pool.app, id)
    return release === undefined
      ? []
      : [
          ...resolveRoutes(release.spec, pool.environment).map(({ host, path }) => ({ route: `${host}${path}` })),
          ...resolvePortRoutes(release.spec, pool.environment).map(ownPortRoute),
        ]
  })
}

const ownPortRoute = (route: PortRouteSpec): OwnRoute => ({
  route: portRouteText(route),
  ...(route.stickyMs === undefined ? {} : { isSticky: true }),
})
