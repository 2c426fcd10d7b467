import type { AppSpec, EntrypointSpec, RouteSpec } from '../model/app-spec.ts'

/** An entrypoint as one environment runs it: its values over the app's. undefined when the spec has no such entrypoint. */
export function resolveEntrypoint(spec: AppSpec, environment: string, name: string): EntrypointSpec | undefined {
  const base = spec.entrypoints[name]
  if (base === undefined) return undefined
  const values = spec.environments[environment]
  const own = values?.entrypoints[name]
  return {
    ...base,
    replicas: own?.replicas ?? base.replicas,
    resources: { ...base.resources, ...own?.resources },
    env: { ...base.env, ...values?.env, ...own?.env },
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
