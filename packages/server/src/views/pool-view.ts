import type { PoolView } from '@berth/api'
import {
  type AppSpec,
  askedSizes,
  type EntrypointSpec,
  type Instance,
  isSystem,
  nodeGroupOf,
  type Pool,
  resolvePortRoutes,
  resolveRoutes,
  resolveSpec,
  sizesOf,
  systemPlaces,
  valuesOf,
} from '@berth/core'
import { clusterNodes } from '../controllers/pool-view.ts'
import { certifiedNames, portRouteUrl, routeUrl } from './route-url.ts'
import { defined, type ViewContext } from './view-context.ts'

type EntrypointView = PoolView['entrypoints'][number]

/** Before its first rollout has ended a pool has no release yet: it is shown by the one that is rolled out. */
export function poolView(context: ViewContext, pool: Pool): PoolView {
  const spec = specOf(context, pool)
  const { app, name, environment, group, generation, release, rollout, removing } = pool
  return {
    app,
    name,
    environment,
    generation,
    ...defined({ group, release, rollout, removing }),
    entrypoints: entrypointNames(pool, spec).map((each) =>
      entrypointView(context, pool, each, spec?.entrypoints[each]),
    ),
    urls:
      spec === undefined
        ? []
        : [
            ...resolveRoutes(spec, environment).map((route) =>
              routeUrl(route, context.gateway, certifiedNames(context.state)),
            ),
            ...resolvePortRoutes(spec, environment).map(({ protocol, listen }) =>
              portRouteUrl({ protocol, port: listen }, context.gateway),
            ),
          ],
  }
}

function specOf({ state }: ViewContext, pool: Pool): AppSpec | undefined {
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const id = pool.release ?? rollout?.to
  const release = id === undefined ? undefined : state.releases.find(pool.app, id)
  return release === undefined ? undefined : resolveSpec(release.spec, pool.environment)
}

const entrypointNames = (pool: Pool, spec: AppSpec | undefined): string[] => [
  ...new Set([...Object.keys(spec?.entrypoints ?? {}), ...Object.keys(pool.replicas)]),
]

function entrypointView(
  context: ViewContext,
  pool: Pool,
  name: string,
  spec: EntrypointSpec | undefined,
): EntrypointView {
  const { state } = context
  const instances = state.instances.byPool(pool.app, pool.name).filter((each) => each.entrypoint === name)
  const count = (test: (instance: Instance) => boolean): number => instances.filter(test).length
  const replicas = pool.replicas[name]
  return {
    name,
    type: spec?.type ?? 'service',
    ...(spec !== undefined && isSystem(spec)
      ? ({ wanted: placesOf(context, pool, spec), setBy: 'nodes' } as const)
      : { wanted: replicas?.count ?? 0, setBy: replicas?.setBy ?? 'spec' }),
    running: count((each) => state.statuses.field(each.id, 'phase') === 'running'),
    ready: count((each) => state.statuses.field(each.id, 'ready') === true),
    ...addressesField(context, pool, name, instances),
    ...(spec === undefined ? {} : sizesFields(pool, name, spec)),
  }
}

function addressesField({ state }: ViewContext, pool: Pool, name: string, instances: readonly Instance[]) {
  const kept = state.keptAddresses.byPool(pool.app, pool.name).filter((each) => each.entrypoint === name)
  if (kept.length === 0) return {}
  const holderOf = (slot: number): string | undefined =>
    instances.find((each) => each.slot === slot && each.desired !== 'stop')?.id
  const addresses = kept
    .sort((a, b) => a.slot - b.slot)
    .map(({ slot, address }) => ({ slot, address, ...defined({ instance: holderOf(slot) }) }))
  return { addresses }
}

function sizesFields({ sizes, awaitedSizes }: Pool, name: string, spec: EntrypointSpec) {
  const pool = sizes === undefined ? {} : { sizes }
  const awaited = awaitedSizes?.[name]
  return {
    ...sizesOf(name, spec, pool),
    ...(sizes?.[name] === undefined ? {} : { written: askedSizes({}, spec) }),
    ...(awaited === undefined ? {} : { awaited: valuesOf(awaited) }),
  }
}

/** On nodes that are heard of. */
function placesOf(context: ViewContext, pool: Pool, spec: EntrypointSpec): number {
  const { open, perNode } = systemPlaces(spec, nodeGroupOf(spec, pool), clusterNodes(context))
  return open.length * perNode
}
