import { type AppSpec, closest, type ExternalService } from '@berth/core'
import { specsOf } from '../controllers/name-tables.ts'
import { claimedRoutes } from '../controllers/operations/claimed-routes.ts'
import type { State } from '../records/index.ts'

/** What already has its name or one of its routes, one sentence each with what to do. */
export function externalConflicts(state: State, external: ExternalService): string[] {
  return [...nameConflicts(state, external.name), ...routeConflicts(state, external)]
}

function nameConflicts(state: State, name: string): string[] {
  const [own = '', ...scope] = name.split('.')
  const app = scope.at(-1)
  if (app === undefined) return state.apps.has(own) ? [`there is an app ${own}: choose another name`] : []
  if (!state.apps.has(app)) {
    const near = closest(app, state.apps.ids())
    return [`there is no app ${app}; ${near === undefined ? 'make it first' : `did you mean ${own}.${near}?`}`]
  }
  const pools = state.pools.byApp(app).map((pool) => pool.name)
  if (scope.length === 1 && pools.includes(own)) return [`${app} has a pool ${own}: choose another name`]
  const specs = specsOf(state, app, pools)
  return specs.some((spec) => hasEntrypoint(spec, own)) ? [`${app} has an entrypoint ${own}: choose another name`] : []
}

const hasEntrypoint = ({ entrypoints }: AppSpec, name: string): boolean => Object.hasOwn(entrypoints, name)

function routeConflicts(state: State, { name, routes }: ExternalService): string[] {
  const wanted = new Set(routes.map(({ host, path }) => `${host}${path}`))
  if (wanted.size === 0) return []
  return claimedRoutes(state)
    .filter(({ route, external }) => wanted.has(route) && external !== name)
    .map(({ route, owner }) => `route ${route} belongs to ${owner}`)
}

/** External services in the way of what a release brings: their routes and names would be taken from them without a word. `pool`: where it goes. */
export function externalsInTheWay(state: State, spec: AppSpec, app: string, pool: string): string[] {
  const problems = Object.keys(spec.entrypoints)
    .flatMap((entrypoint) => [...state.externals.ids()].filter((id) => isNamed(id, entrypoint, app)))
    .map((name) => `an external service is called ${name}, as an entrypoint: berth external rm ${name}`)
  const asPool = `${pool}.${app}`
  // A pool that is there has the name already.
  if (!state.pools.has(`${app}/${pool}`) && state.externals.has(asPool))
    problems.push(`an external service is called ${asPool}, as this new pool: berth external rm ${asPool}`)
  return problems
}

const isNamed = (external: string, entrypoint: string, app: string): boolean =>
  external.startsWith(`${entrypoint}.`) && external.endsWith(`.${app}`)
