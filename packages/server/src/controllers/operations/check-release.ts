import { type AppSpec, BerthError, checkName, closest, lanOf, resolveRoutes, resolveSpec } from '@berth/core'
import { externalsInTheWay } from '../../externals/external-conflicts.ts'
import { missingProfiles } from '../../policy/profile-users.ts'
import type { State } from '../../records/index.ts'
import { claimedRoutes } from './claimed-routes.ts'
import { portConflicts } from './port-conflicts.ts'

/** A pool may be called as one of the spec's environments, or as the default pool. */
export function checkEnvironment(spec: AppSpec, pool: string, defaultPool: string): void {
  checkName('environment', pool)
  const known = Object.keys(spec.environments)
  if (pool === defaultPool || known.includes(pool)) return
  const near = closest(pool, [...known, defaultPool])
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  const list = known.length === 0 ? 'has none' : `has ${known.join(', ')}`
  throw new BerthError(
    'environment.unknown',
    `deploy to ${pool}: the berth.yaml of ${spec.app} ${list} under environments:${hint}`,
    {
      details: { app: spec.app, environment: pool },
    },
  )
}

/** Everything that would keep this release from running in this pool, one sentence each with what to do. */
export function problemsOf(state: State, spec: AppSpec, app: string, pool: string, environment: string): string[] {
  return [
    ...missingSecrets(state, spec, app, environment),
    ...unknownProfiles(state, spec),
    ...unknownLans(state, spec),
    ...externalsInTheWay(state, spec, app, pool),
    ...routeConflicts(state, spec, app, pool, environment),
    ...portConflicts(state, spec, app, pool, environment),
  ]
}

/** `deployed` is what to where: `shop v7 to production`. */
export function refuseProblems(deployed: string, problems: readonly string[]): void {
  if (problems.length === 0) return
  throw new BerthError('release.not-deployable', `deploy ${deployed}: ${problems.join('; ')}`, {
    details: { problems },
  })
}

function missingSecrets(state: State, spec: AppSpec, app: string, environment: string): string[] {
  const problems: string[] = []
  const seen = new Set<string>()
  for (const [name, entrypoint] of Object.entries(resolveSpec(spec, environment).entrypoints)) {
    for (const secret of entrypoint.secrets) {
      const known = state.secrets.find(app, environment, secret.name) ?? state.secrets.find(app, undefined, secret.name)
      if (known !== undefined || seen.has(secret.name)) continue
      seen.add(secret.name)
      problems.push(
        `secret ${secret.name} (used by ${name}) is not set: berth secret set ${app} ${secret.name} --environment ${environment}`,
      )
    }
  }
  return problems
}

/** Its instances would be closed. */
const unknownProfiles = (state: State, spec: AppSpec): string[] =>
  missingProfiles(state, spec).map((name) => {
    const near = closest(name, state.profiles.ids())
    return `there is no security profile ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}: berth profile apply FILE`
  })

/** Its instances would wait for ever. */
function unknownLans(state: State, spec: AppSpec): string[] {
  const named = new Set(Object.values(spec.entrypoints).flatMap(({ network }) => lanOf(network) ?? []))
  return [...named]
    .filter((name) => !state.lans.has(name))
    .map((name) => {
      const near = closest(name, state.lans.ids())
      return `there is no network ${name} of the machines’ own${near === undefined ? '' : ` (did you mean ${near}?)`}: berth net create ${name}`
    })
}

function routeConflicts(state: State, spec: AppSpec, app: string, pool: string, environment: string): string[] {
  const wanted = new Set(resolveRoutes(spec, environment).map((route) => `${route.host}${route.path}`))
  return claimedRoutes(state)
    .filter((taken) => wanted.has(taken.route) && !(taken.pool?.app === app && taken.pool.name === pool))
    .map(
      ({ route, owner }) =>
        `route ${route} belongs to ${owner}: give ${environment} routes of its own under environments.${environment}.routes`,
    )
}
