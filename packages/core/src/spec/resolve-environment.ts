import type { AppSpec, EntrypointSpec, RouteSpec } from '../model/app-spec.ts'
import { placementOf } from './placement-of.ts'

/** An entrypoint as one environment runs it: its values over the app's. undefined when the spec has no such entrypoint. */
export function resolveEntrypoint(spec: AppSpec, environment: string, name: string): EntrypointSpec | undefined {
  const base = spec.entrypoints[name]
  if (base === undefined) return undefined
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

/** The whole spec as one environment runs it; its `environments` are left as they are. */
export function resolveSpec(spec: AppSpec, environment: string): AppSpec {
  const entrypoints = Object.keys(spec.entrypoints).flatMap((name) => {
    const resolved = resolveEntrypoint(spec, environment, name)
    return resolved === undefined ? [] : [[name, resolved] as const]
  })
  return { ...spec, entrypoints: Object.fromEntries(entrypoints), routes: resolveRoutes(spec, environment) }
}

/** An environment's own routes replace the app's. */
export const resolveRoutes = (spec: AppSpec, environment: string): readonly RouteSpec[] =>
  spec.environments[environment]?.routes ?? spec.routes
