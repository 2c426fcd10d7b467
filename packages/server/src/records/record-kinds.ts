import type { RecordKind, RecordTypes } from './record-types.ts'

interface KindDefinition<T> {
  /** Keys are `prefix` + `keyPart(id)`. */
  readonly prefix: string
  /** The record's identity within its kind: how {@link State} and the transactions name it. */
  idOf(record: T): string
  /** Only where the key is not the id itself. */
  readonly keyPart?: (id: string) => string
  readonly idPart?: (part: string) => string
  /** Version of the record's form; raised with an entry in `upgrades` when a form changes. */
  readonly version: number
}

const releaseDigits = 10
const byApp = (record: { readonly app: string }): string => record.app
const byName = (record: { readonly name: string }): string => record.name
const byEntrypoint = (record: { readonly app: string; readonly pool: string; readonly entrypoint: string }): string =>
  entrypointId(record.app, record.pool, record.entrypoint)
const byVersion = (record: { readonly version: number }): string => String(record.version)
const byId = (record: { readonly id: string }): string => record.id

/**
 * The layout of the store. Ids: `shop` (app), `shop/v7` (release), `shop/production` (pool), `shop.production.web-4` (instance and
 * status), `shop/production/DB_PASSWORD` or `shop/_/DB_PASSWORD` (secret), `shop/production/report` (approval and cron); everything else by
 * its own id or name.
 */
export const recordKinds: { readonly [K in RecordKind]: KindDefinition<RecordTypes[K]> } = {
  apps: { prefix: '/apps/', idOf: byName, version: 1 },
  releases: {
    prefix: '/releases/',
    idOf: (release) => releaseId(release.app, release.id),
    keyPart: (id) => id.replace(/\/v(\d+)$/, (_, n: string) => `/${n.padStart(releaseDigits, '0')}`),
    idPart: (part) => part.replace(/\/0*(\d+)$/, '/v$1'),
    version: 1,
  },
  builds: { prefix: '/builds/', idOf: byId, version: 1 },
  pipelines: { prefix: '/pipelines/', idOf: byApp, version: 1 },
  seenRefs: { prefix: '/seen-refs/', idOf: byApp, version: 1 },
  pools: { prefix: '/pools/', idOf: (pool) => poolId(pool.app, pool.name), version: 1 },
  rollouts: { prefix: '/rollouts/', idOf: byId, version: 1 },
  instances: { prefix: '/instances/', idOf: byId, version: 1 },
  statuses: { prefix: '/status/', idOf: byId, version: 1 },
  nodes: { prefix: '/nodes/', idOf: byName, version: 1 },
  nodeStatuses: { prefix: '/node-status/', idOf: byName, version: 1 },
  groups: { prefix: '/groups/', idOf: byName, version: 1 },
  rebalances: { prefix: '/rebalances/', idOf: (rebalance) => rebalance.group, version: 1 },
  configVersions: { prefix: '/config-versions/', idOf: byVersion, version: 1 },
  configRollouts: { prefix: '/config-rollouts/', idOf: byVersion, version: 1 },
  nodeConfigs: { prefix: '/node-configs/', idOf: (config) => config.node, version: 1 },
  profiles: { prefix: '/profiles/', idOf: byName, version: 1 },
  externals: { prefix: '/externals/', idOf: byName, version: 1 },
  acmeAccounts: { prefix: '/acme-accounts/', idOf: byName, version: 1 },
  acmeFailures: { prefix: '/acme-failures/', idOf: (record) => record.host, version: 1 },
  acmeChallenges: { prefix: '/acme-challenges/', idOf: (record) => record.host, version: 1 },
  maintenance: { prefix: '/maintenance/', idOf: (record) => record.host, version: 1 },
  domains: { prefix: '/domains/', idOf: byName, version: 1 },
  registeredServices: { prefix: '/registered/', idOf: byId, version: 1 },
  subscriptions: { prefix: '/subscriptions/', idOf: byName, version: 1 },
  subscriptionPositions: { prefix: '/subscription-positions/', idOf: byName, version: 1 },
  keyValues: { prefix: '/kv/', idOf: (each) => each.key, version: 1 },
  approvals: { prefix: '/approvals/', idOf: byEntrypoint, version: 1 },
  crons: { prefix: '/crons/', idOf: byEntrypoint, version: 1 },
  keptAddresses: { prefix: '/kept-addresses/', idOf: (kept) => kept.address, version: 1 },
  fences: { prefix: '/fence/', idOf: (fence) => fence.node, version: 1 },
  secrets: {
    prefix: '/secrets/',
    idOf: (secret) => secretId(secret.app, secret.environment, secret.name),
    version: 1,
  },
  tokens: { prefix: '/tokens/', idOf: byName, version: 1 },
  joinTokens: { prefix: '/join-tokens/', idOf: (token) => token.hash, version: 1 },
  certificates: { prefix: '/certificates/', idOf: byName, version: 1 },
  registries: { prefix: '/registries/', idOf: (registry) => registry.host, version: 1 },
  imageRegistries: { prefix: '/image-registry/', idOf: byName, version: 1 },
  addressPools: { prefix: '/address-pools/', idOf: byName, version: 1 },
  failoverAddresses: { prefix: '/failover-addresses/', idOf: (each) => each.address, version: 1 },
  lans: { prefix: '/lans/', idOf: byName, version: 1 },
  cloudTables: { prefix: '/cloud-routes/', idOf: byName, version: 1 },
  routings: { prefix: '/routing/', idOf: byName, version: 1 },
  metricSources: { prefix: '/metric-sources/', idOf: byName, version: 1 },
  approvalRules: { prefix: '/approval-rules/', idOf: byName, version: 1 },
  hookTargets: { prefix: '/hook-targets/', idOf: byName, version: 1 },
  freezes: { prefix: '/freezes/', idOf: byName, version: 1 },
  authorities: { prefix: '/authority/', idOf: byName, version: 1 },
  members: { prefix: '/servers/', idOf: byName, version: 1 },
  leaders: { prefix: '/leaders/', idOf: (leader) => leader.role, version: 1 },
  events: { prefix: '/events/', idOf: byId, version: 1 },
}

export const recordKindNames = Object.keys(recordKinds) as readonly RecordKind[]

export const poolId = (app: string, pool: string): string => `${app}/${pool}`
export const entrypointId = (app: string, pool: string, entrypoint: string): string => `${app}/${pool}/${entrypoint}`
/** `release` is its `v7`. */
export const releaseId = (app: string, release: string): string => `${app}/${release}`
export const secretId = (app: string, environment: string | undefined, name: string): string =>
  `${app}/${environment ?? '_'}/${name}`

const kindByPrefix = new Map(recordKindNames.map((kind) => [recordKinds[kind].prefix, kind]))

export function keyOf(kind: RecordKind, id: string): string {
  const { prefix, keyPart } = recordKinds[kind]
  return prefix + (keyPart === undefined ? id : keyPart(id))
}

/** Undefined for keys that hold no record. */
export function parseKey(key: string): { readonly kind: RecordKind; readonly id: string } | undefined {
  const prefix = key.slice(0, key.indexOf('/', 1) + 1)
  const kind = kindByPrefix.get(prefix)
  if (kind === undefined) return undefined
  const part = key.slice(prefix.length)
  const { idPart } = recordKinds[kind]
  return { kind, id: idPart === undefined ? part : idPart(part) }
}
