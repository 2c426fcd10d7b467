import type { NamedExternal, NameEntry, NameTable, NetworkConfig } from '../model/assignment.ts'
import { type AddressBlock, containsAddress, parseBlock } from './address-block.ts'
import type { AppNames } from './app-names.ts'
import { type ConsulIndex, indexConsul } from './consul-names.ts'
import { type DomainIndex, indexDomains } from './own-domains.ts'
import { type TwinRange, twinOf, twinRange } from './twin-address.ts'

/** Where an asker stands: `address` of an instance, ready or not. */
export interface Asker {
  readonly address: string
  readonly pool: string
}

/** A {@link NameTable} made ready for questions. Answers depend on nothing but it, the question and the asker's pool. */
export interface NameIndex {
  readonly domain: string
  readonly defaultPool: string
  /** Of the node that answers, and so of those who ask it. */
  readonly site: string | undefined
  /** The cluster's own addresses. */
  readonly blocks: readonly AddressBlock[]
  readonly apps: ReadonlyMap<string, AppNames>
  /** Names below the domain; not of twins. */
  readonly byAddress: ReadonlyMap<string, string>
  readonly externals: ReadonlyMap<string, NamedExternal>
  readonly domains: DomainIndex
  readonly poolOf: ReadonlyMap<string, string>
  readonly twins: readonly TwinRange[]
  /** Absent: those names are somebody else's. */
  readonly consul?: ConsulIndex
}

export function indexNames(
  names: NameTable,
  network: Pick<NetworkConfig, 'pool' | 'pools' | 'domain' | 'defaultPool' | 'site' | 'twins' | 'consul'> &
    Partial<Pick<NetworkConfig, 'peers'>>,
  askers: readonly Asker[] = [],
): NameIndex {
  const apps = new Map<string, AppNames>()
  for (const known of names.apps ?? []) {
    const app = appNames(apps, known.app)
    for (const entrypoint of known.entrypoints) app.entrypoints.add(entrypoint)
    for (const pool of known.pools) app.pools.add(pool)
  }
  const externals = new Map((names.externals ?? []).map((each) => [each.name, each]))
  const byAddress = new Map<string, string>()
  for (const { name, addresses, addresses6 = [] } of externals.values())
    for (const each of [...addresses, ...addresses6]) byAddress.set(each, name)
  const poolOf = new Map<string, string>()
  const blocks = (network.pools ?? [network.pool]).map(parseBlock)
  for (const entry of names.entries) {
    addReady(appNames(apps, entry.app), entry)
    // Others are nodes' own: of instances in their network there may be several.
    if (!blocks.some((block) => containsAddress(block, entry.address))) continue
    byAddress.set(entry.address, instanceName(entry))
    poolOf.set(entry.address, entry.pool)
  }
  // The node knows its own instances better than the table, which may be of a time when another held the address.
  for (const asker of askers) poolOf.set(asker.address, asker.pool)
  const twins = (network.twins ?? []).map(twinRange)
  const consul = indexConsul({
    ...{ apps, externals: externals.values(), registered: names.services ?? [], network },
    nameOf: (entry) => `${instanceName(entry)}.${network.domain}`,
    twin: (address) => twinOf(twins, address),
  })
  return {
    domain: network.domain,
    defaultPool: network.defaultPool,
    site: network.site,
    blocks,
    apps,
    byAddress,
    externals,
    domains: indexDomains(names.domains),
    poolOf,
    twins,
    ...(consul === undefined ? {} : { consul }),
  }
}

function appNames(apps: Map<string, AppNames>, name: string): AppNames {
  let app = apps.get(name)
  if (app === undefined) {
    app = { entrypoints: new Set(), pools: new Set(), ready: new Map(), readyOne: new Map() }
    apps.set(name, app)
  }
  return app
}

function addReady(app: AppNames, entry: NameEntry): void {
  app.entrypoints.add(entry.entrypoint)
  app.pools.add(entry.pool)
  const key = `${entry.entrypoint}.${entry.pool}`
  const group = app.ready.get(key)
  if (group === undefined) app.ready.set(key, [entry])
  else group.push(entry)
  app.readyOne.set(`${instanceLabel(entry)}.${entry.pool}`, entry)
}

/** `shop.production.web-3` → `web-3` */
const instanceLabel = (entry: NameEntry): string => entry.instance.slice(entry.instance.lastIndexOf('.') + 1)

/** `web-3.production.shop` */
export const instanceName = (entry: NameEntry): string => `${instanceLabel(entry)}.${entry.pool}.${entry.app}`

/** The pool of the instance that has this address; undefined for everybody else, the node itself included. */
export const poolOfAsker = (index: NameIndex, address: string): string | undefined => index.poolOf.get(address)
