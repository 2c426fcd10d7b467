import type { AppSpec, ExternalService, Instance, InstanceStatus, Pool } from '../model/index.ts'
import { bridgeOf, reachedPort } from '../network/network-mode.ts'
import type { PooledInstance } from '../network/route-targets.ts'
import type { CatalogCheck, CatalogEntry } from './catalog-entry.ts'

export interface PoolCatalog {
  readonly pool: Pool
  readonly instances: readonly PooledInstance[]
  readonly specOf: (app: string, release: string) => AppSpec | undefined
  /** Of one of its entrypoints. undefined: it is none that has a name. */
  readonly nameOf: (entrypoint: string) => string | undefined
}

/** The label of an entrypoint that lists further tags: `consul-tags: "canary, urlprefix-/shop"`. */
export const tagsLabel = 'consul-tags'

/** Instances of services of one pool that have a place and have not ended, in the order of their ids. */
export function compileCatalog({ pool, instances, specOf, nameOf }: PoolCatalog): CatalogEntry[] {
  const entries = instances.flatMap(({ instance, status }) => {
    const service = nameOf(instance.entrypoint)
    const { node, address } = instance
    if (service === undefined || node === undefined || address === undefined) return []
    if (instance.type !== 'service' || instance.desired === 'stop' || hasEnded(status)) return []
    const spec = specOf(instance.app, instance.release)?.entrypoints[instance.entrypoint]
    const ports = (spec?.ports ?? []).flatMap((each) => {
      const port = reachedPort(instance.network, each)
      return port === undefined ? [] : [{ name: each.name, port }]
    })
    // Behind its node's address nothing would lead to it.
    if (bridgeOf(instance.network) !== undefined && ports.length === 0) return []
    const state = stateOf(instance, status)
    const entry: CatalogEntry = {
      ...{ id: instance.id, service, node, address, port: ports[0]?.port ?? 0 },
      tags: [...new Set([instance.entrypoint, pool.name, 'berth', ...listedTags(spec?.labels)])],
      meta: {
        ...{ app: instance.app, pool: pool.name, entrypoint: instance.entrypoint },
        ...{ environment: pool.environment, release: instance.release, state },
        ...Object.fromEntries(ports.map(({ name, port }) => [`port_${name}`, String(port)])),
      },
      checks: [readiness(instance.id, service, state)],
      ...(state === 'ready' ? { traffic: 'taking' as const } : {}),
      ...(state === 'draining' ? { traffic: 'draining' as const } : {}),
    }
    return [entry]
  })
  return entries.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Its addresses; nobody tells whether they answer. One that is another's name has none, and is not in the catalog. */
export function compileExternal(external: ExternalService, service: string): CatalogEntry[] {
  return external.addresses.map((address) => ({
    ...{
      id: `external.${external.name}.${address}`,
      service,
      address,
      ...(external.site === undefined ? {} : { site: external.site }),
    },
    port: external.ports[0]?.port ?? 0,
    tags: ['external', ...external.tags],
    meta: {
      external: external.name,
      ...Object.fromEntries(external.ports.map(({ name, port }) => [`port_${name}`, String(port)])),
    },
    checks: [],
    traffic: 'taking' as const,
  }))
}

const hasEnded = (status: InstanceStatus | undefined): boolean =>
  status?.phase === 'ended' || status?.phase === 'stopping'

type EntryState = 'ready' | 'draining' | 'starting' | 'not ready'

function stateOf({ desired }: Instance, status: InstanceStatus | undefined): EntryState {
  if (desired === 'drain') return 'draining'
  if (status?.ready === true) return 'ready'
  return status?.readyAt === undefined ? 'starting' : 'not ready'
}

const readiness = (id: string, service: string, state: EntryState): CatalogCheck => ({
  ...{ id: `service:${id}`, name: `Readiness of ${service}`, notes: '', type: '' },
  ...{ status: state === 'ready' ? 'passing' : 'critical', output: state },
})

/** Those of an entrypoint's label. */
export function listedTags(labels: Readonly<Record<string, string>> | undefined): string[] {
  return (labels?.[tagsLabel] ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}
