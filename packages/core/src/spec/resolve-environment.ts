import type { AppSpec, EntrypointSpec, RouteSpec } from '../model/app-spec.ts'
import type { PortRouteSpec } from '../model/port-route-spec.ts'
import { placementOf } from './placement-of.ts'

/** An entrypoint as one environment runs it: its values over the app's. undefined when the spec has no such entrypoint. */
export const resolveEntrypoint = (spec: AppSpec, environment: string, name: string): EntrypointSpec | undefined =>
  resolveSpec(spec, environment).entrypoints[name]

function resolveOne(spec: AppSpec, environment: string, name: string, base: EntrypointSpec): EntrypointSpec {
  const values = spec.environments[environment]
  const own = values?.entrypoints[name]
  const { schedule: _, ...rest } = base
  const schedule = own?.schedule ?? base.schedule
  return {
    ...rest,
    replicas: own?.replicas ?? base.replicas,
    resources: { ...base.resources, ...own?.resources },
    env: { ...base.env, ...values?.env, ...own?.env },
    ...(own?.placement === undefined ? {} : { placement: { ...placementOf(base), ...own.placement } }),
    ...(own?.priority === undefined ? {} : { priority: own.priority }),
    ...(schedule === undefined || schedule === 'off' ? {} : { schedule }),
  }
}

/** Specs do not change, and each instance and decision asks for the same few. */
const resolvedSpecs = new WeakMap<AppSpec, Map<string, AppSpec>>()
const mostKnown = 16

/** The whole spec as one environment runs it; its `environments` are left as they are. */
export function resolveSpec(spec: AppSpec, environment: string): AppSpec {
  const known = resolvedSpecs.get(spec) ?? new Map<string, AppSpec>()
  const found = known.get(environment)
  if (found !== undefined) return found
  const resolved = resolve(spec, environment)
  if (known.size >= mostKnown) known.clear()
  resolvedSpecs.set(spec, known.set(environment, resolved))
  return resolved
}

function resolve(spec: AppSpec, environment: string): AppSpec {
  const entrypoints = Object.entries(spec.entrypoints).map(
    ([name, base]) => [name, resolveOne(spec, environment, name, base)] as const,
  )
  const rollout = { ...spec.rollout, ...spec.environments[environment]?.rollout }
  const { portRoutes: _, ...others } = spec
  const portRoutes = resolvePortRoutes(spec, environment)
  return {
    ...others,
    entrypoints: Object.fromEntries(entrypoints),
    routes: resolveRoutes(spec, environment),
    ...(portRoutes.length === 0 ? {} : { portRoutes }),
    rollout,
  }
}

/** An environment's own routes replace the app's. */
export const resolveRoutes = (spec: AppSpec, environment: string): readonly RouteSpec[] =>
  spec.environments[environment]?.routes ?? spec.routes

/** They are in the same list as the others, which replaces the app's as a whole. */
export function resolvePortRoutes(spec: AppSpec, environment: string): readonly PortRouteSpec[] {
  const values = spec.environments[environment]
  return (values?.routes === undefined ? spec.portRoutes : values.portRoutes) ?? []
}
