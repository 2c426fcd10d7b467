import type { NameEntry, NameTable, NetworkConfig } from '../model/assignment.ts'
import { type AddressBlock, containsAddress, parseBlock } from './address-block.ts'

/** Names are in lower case and without the root's dot, as `web.shop.berth`. */
export interface NameQuestion {
  readonly name: string
  readonly type: NameQuestionType
}

/** Types that have no answer here are all `other`. */
export type NameQuestionType = 'A' | 'SRV' | 'PTR' | 'other'

export type NameAnswer =
  /** Of ready instances, at least one. */
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'services'; readonly services: readonly ServiceTarget[] }
  | { readonly kind: 'pointer'; readonly name: string }
  /** The name exists, but has nothing of this type; also when no instance of it is ready. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'unknown' }
  /** Not a name of Berth's: somebody else's to answer. */
  | { readonly kind: 'elsewhere' }

export interface ServiceTarget {
  /** `web-1.production.shop.berth` */
  readonly name: string
  readonly address: string
  readonly port: number
}

/** Where an asker stands: `address` of an instance, ready or not. */
export interface Asker {
  readonly address: string
  readonly pool: string
}

/** A {@link NameTable} made ready for questions. Answers depend on nothing but it, the question and the asker's pool. */
export interface NameIndex {
  readonly domain: string
  readonly defaultPool: string
  readonly block: AddressBlock
  readonly apps: ReadonlyMap<string, AppNames>
  readonly byAddress: ReadonlyMap<string, NameEntry>
  readonly poolOf: ReadonlyMap<string, string>
}

interface AppNames {
  /** The first is what the app's own name means. */
  readonly entrypoints: Set<string>
  readonly pools: Set<string>
  /** Ready instances by `<entrypoint>.<pool>` and, each alone, by `<entrypoint>-<n>.<pool>`. */
  readonly ready: Map<string, NameEntry[]>
  readonly readyOne: Map<string, NameEntry>
}

export function indexNames(
  names: NameTable,
  network: Pick<NetworkConfig, 'pool' | 'domain' | 'defaultPool'>,
  askers: readonly Asker[] = [],
): NameIndex {
  const apps = new Map<string, AppNames>()
  for (const known of names.apps ?? []) {
    const app = appNames(apps, known.app)
    for (const entrypoint of known.entrypoints) app.entrypoints.add(entrypoint)
    for (const pool of known.pools) app.pools.add(pool)
  }
  const byAddress = new Map<string, NameEntry>()
  const poolOf = new Map<string, string>()
  for (const entry of names.entries) {
    addReady(appNames(apps, entry.app), entry)
    byAddress.set(entry.address, entry)
    poolOf.set(entry.address, entry.pool)
  }
  // The node knows its own instances better than the table, which may be of a time when another held the address.
  for (const asker of askers) poolOf.set(asker.address, asker.pool)
  return {
    domain: network.domain,
    defaultPool: network.defaultPool,
    block: parseBlock(network.pool),
    apps,
    byAddress,
    poolOf,
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

const nameOf = (index: NameIndex, entry: NameEntry): string =>
  `${instanceLabel(entry)}.${entry.pool}.${entry.app}.${index.domain}`

/** The pool of the instance that has this address; undefined for everybody else, the node itself included. */
export const poolOfAsker = (index: NameIndex, address: string): string | undefined => index.poolOf.get(address)

/**
 * What a name means to an asker of a pool:
 * `<app>`, `<entrypoint>.<app>` in the asker's pool, and from everywhere `<pool>.<app>`, `<entrypoint>.<pool>.<app>`, `<entrypoint>-<n>.<pool>.<app>`;
 * `_<port name>._<protocol>` before each of them for SRV; all below the domain. PTR for addresses of the cluster's pool.
 */
export function answerName(index: NameIndex, question: NameQuestion, askerPool: string | undefined): NameAnswer {
  const { name, type } = question
  if (name === index.domain) return { kind: 'empty' }
  if (name.endsWith(`.${index.domain}`)) {
    const labels = name.slice(0, -index.domain.length - 1).split('.')
    return answerOwn(index, labels, type, askerPool)
  }
  const address = addressOfReverse(name)
  if (address === undefined || !containsAddress(index.block, address)) return { kind: 'elsewhere' }
  const entry = index.byAddress.get(address)
  if (entry === undefined) return { kind: 'unknown' }
  return type === 'PTR' ? { kind: 'pointer', name: nameOf(index, entry) } : { kind: 'empty' }
}

function answerOwn(
  index: NameIndex,
  labels: readonly string[],
  type: NameQuestionType,
  askerPool: string | undefined,
): NameAnswer {
  const serviceLabels = labels.findIndex((label) => !label.startsWith('_'))
  const found = findReady(index, labels.slice(serviceLabels), askerPool)
  if (found === undefined || serviceLabels < 0 || serviceLabels > 2) return { kind: 'unknown' }
  if (serviceLabels === 2) return answerService(index, found, labels, type)
  if (serviceLabels === 1 || type !== 'A' || found.length === 0) return { kind: 'empty' }
  return { kind: 'addresses', addresses: found.map((entry) => entry.address) }
}

function answerService(
  index: NameIndex,
  found: readonly NameEntry[],
  labels: readonly string[],
  type: NameQuestionType,
): NameAnswer {
  const [portName, protocol] = [labels[0]?.slice(1), labels[1]?.slice(1)]
  const services = found.flatMap((entry) =>
    entry.ports
      .filter((port) => port.name === portName && port.protocol === protocol)
      .map(({ port }) => ({ name: nameOf(index, entry), address: entry.address, port })),
  )
  if (services.length === 0) return { kind: found.length === 0 ? 'empty' : 'unknown' }
  return type === 'SRV' ? { kind: 'services', services } : { kind: 'empty' }
}

const none: readonly NameEntry[] = []

/** The ready instances that a name stands for; undefined when there is no such name. */
function findReady(
  index: NameIndex,
  labels: readonly string[],
  askerPool: string | undefined,
): readonly NameEntry[] | undefined {
  const app = index.apps.get(labels.at(-1) ?? '')
  if (app === undefined || labels.length > 3) return undefined
  if (labels.length === 3) return findInPool(app, labels[0] ?? '', labels[1] ?? '')
  const [first] = app.entrypoints
  const name = labels.length === 2 ? labels[0] : first
  if (name === undefined) return undefined
  if (app.entrypoints.has(name)) {
    const pool = poolFor(index, app, askerPool)
    return pool === undefined ? undefined : (app.ready.get(`${name}.${pool}`) ?? none)
  }
  // A pool's name is that of its first entrypoint; it exists even where that is none.
  return app.pools.has(name) ? (app.ready.get(`${first}.${name}`) ?? none) : undefined
}

function findInPool(app: AppNames, name: string, pool: string): readonly NameEntry[] | undefined {
  if (!app.pools.has(pool)) return undefined
  if (app.entrypoints.has(name)) return app.ready.get(`${name}.${pool}`) ?? none
  const one = app.readyOne.get(`${name}.${pool}`)
  return one === undefined ? undefined : [one]
}

/** The asker's own pool name where the app has it, else the default, else the only one; several others are nobody's guess. */
function poolFor(index: NameIndex, app: AppNames, askerPool: string | undefined): string | undefined {
  if (askerPool !== undefined && app.pools.has(askerPool)) return askerPool
  if (app.pools.has(index.defaultPool)) return index.defaultPool
  const [only, ...others] = app.pools
  return others.length === 0 ? only : undefined
}

const reversePattern = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/

/** `5.3.77.10.in-addr.arpa` → `10.77.3.5` */
function addressOfReverse(name: string): string | undefined {
  const match = reversePattern.exec(name)
  return match === null ? undefined : `${match[4]}.${match[3]}.${match[2]}.${match[1]}`
}
