import {
  type CatalogEntry,
  compileCatalog,
  compileExternal,
  type Node,
  type NodeStatus,
  outsideNode,
  registeredEntry,
} from '@berth/core'
import { withReachedAddress } from '../lans/lan-nodes.ts'
import { poolId, type State, type StateChange } from '../records/index.ts'
import { ServiceNames } from './service-names.ts'
import type { Topics } from './topics.ts'

/** An entry with the revision at which it was last seen to be another. */
export interface KnownEntry extends CatalogEntry {
  readonly modifyIndex: number
}

export interface CatalogOptions {
  readonly state: State
  readonly topics: Topics
  /** Of a service, whose entries were these. */
  readonly onService?: (service: string, before: readonly KnownEntry[], after: readonly KnownEntry[]) => void
}

interface Known {
  readonly entry: KnownEntry
  /** To compare with. */
  readonly text: string
}

export const servicesTopic = 'services'
export const nodesTopic = 'nodes'
export const checksTopic = 'checks'
export const serviceTopic = (service: string): string => `service ${service}`
export const nodeTopic = (node: string): string => `node ${node}`

/** No pool's id begins so. */
const externalGroup = '/external/'
const registeredGroup = '/registered/'

/**
 * All services with their instances, made of the records and kept as they change. What has changed is found group by group (a pool, an
 * external service), and told by topic. Reading brings it up to date first.
 */
export class Catalog implements Disposable {
  readonly #state: State
  readonly #topics: Topics
  readonly #names: ServiceNames
  readonly #onService: CatalogOptions['onService']
  readonly #unsubscribe: () => void
  readonly #dirty = new Set<string>()
  /** By group: entries by id. */
  readonly #groups = new Map<string, ReadonlyMap<string, Known>>()
  readonly #services = new Map<string, Map<string, KnownEntry>>()
  /** Ids of entries by the node that they are on. */
  readonly #onNode = new Map<string, Map<string, KnownEntry>>()
  /** Tags of each service, to compare with. */
  readonly #listed = new Map<string, string>()
  #isScheduled = false
  #disposed = false

  constructor({ state, topics, onService }: CatalogOptions) {
    this.#state = state
    this.#topics = topics
    this.#onService = onService
    this.#names = new ServiceNames(state)
    this.#markAll()
    this.refresh()
    this.#unsubscribe = state.changes.subscribe((change) => this.#note(change))
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#unsubscribe()
  }

  get names(): ServiceNames {
    return this.#names
  }

  /** By name. */
  services(): ReadonlyMap<string, ReadonlyMap<string, KnownEntry>> {
    this.refresh()
    return this.#services
  }

  /** In the order of their ids. */
  entriesOf(service: string): readonly KnownEntry[] {
    this.refresh()
    return [...(this.#services.get(service)?.values() ?? [])]
  }

  entriesOn(node: string): readonly KnownEntry[] {
    this.refresh()
    return [...(this.#onNode.get(node)?.values() ?? [])]
  }

  /** Looks at what has changed since. */
  refresh(): void {
    if (this.#names.refresh()) this.#markAll()
    if (this.#dirty.size === 0) return
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    const touched = new Map<string, readonly KnownEntry[]>()
    const nodes = new Set<string>()
    for (const group of dirty) this.#refreshGroup(group, touched, nodes)
    const { revision } = this.#state
    for (const node of nodes) this.#topics.touch(nodeTopic(node), revision)
    for (const [service, before] of touched) this.#settle(service, before, revision)
    if (touched.size > 0) this.#topics.touch(checksTopic, revision)
  }

  #settle(service: string, before: readonly KnownEntry[], revision: number): void {
    const entries = [...(this.#services.get(service)?.values() ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1))
    if (entries.length === 0) this.#services.delete(service)
    else this.#services.set(service, new Map(entries.map((each) => [each.id, each])))
    this.#onService?.(service, before, entries)
    this.#topics.touch(serviceTopic(service), revision)
    const listed = entries.length === 0 ? undefined : tagsOf(entries).join('\n')
    if (listed === this.#listed.get(service)) return
    if (listed === undefined) this.#listed.delete(service)
    else this.#listed.set(service, listed)
    this.#topics.touch(servicesTopic, revision)
  }

  #refreshGroup(group: string, touched: Map<string, readonly KnownEntry[]>, nodes: Set<string>): void {
    const before = this.#groups.get(group)
    const after = new Map<string, Known>()
    for (const entry of this.#compile(group)) {
      const text = JSON.stringify(entry) + this.#nodeText(entry.node)
      const known = before?.get(entry.id)
      after.set(
        entry.id,
        known?.text === text ? known : { entry: { ...entry, modifyIndex: this.#state.revision }, text },
      )
    }
    for (const [id, known] of before ?? []) if (after.get(id) !== known) this.#take(known.entry, false, touched, nodes)
    for (const [id, known] of after) if (before?.get(id) !== known) this.#take(known.entry, true, touched, nodes)
    if (after.size === 0) this.#groups.delete(group)
    else this.#groups.set(group, after)
  }

  #take(entry: KnownEntry, isThere: boolean, touched: Map<string, readonly KnownEntry[]>, nodes: Set<string>): void {
    const node = entry.node ?? outsideNode
    nodes.add(node)
    if (!touched.has(entry.service))
      touched.set(entry.service, [...(this.#services.get(entry.service)?.values() ?? [])])
    for (const [map, key] of [[this.#services, entry.service] as const, [this.#onNode, node] as const]) {
      const entries = map.get(key) ?? new Map<string, KnownEntry>()
      if (isThere) entries.set(entry.id, entry)
      else entries.delete(entry.id)
      if (entries.size === 0) map.delete(key)
      else map.set(key, entries)
    }
  }

  #compile(group: string): readonly CatalogEntry[] {
    const { pools, externals, instances, statuses, releases, registeredServices } = this.#state
    if (group.startsWith(externalGroup)) {
      const external = externals.get(group.slice(externalGroup.length))
      const service = external && this.#names.ofExternal(external.name)
      return external === undefined || service === undefined ? [] : compileExternal(external, service)
    }
    if (group.startsWith(registeredGroup)) {
      const service = registeredServices.get(group.slice(registeredGroup.length))
      // A name that Berth has given meanwhile is its own alone.
      return service === undefined || this.#names.has(service.name) ? [] : [registeredEntry(service)]
    }
    const pool = pools.get(group)
    if (pool === undefined) return []
    return compileCatalog({
      pool,
      instances: instances.byPool(pool.app, pool.name).map((found) => {
        const [instance, status] = [withReachedAddress(this.#state, found), statuses.get(found.id)]
        return status === undefined ? { instance } : { instance, status }
      }),
      specOf: (app, release) => releases.find(app, release)?.spec,
      nameOf: (entrypoint) => this.#names.ofEntrypoint(pool, entrypoint),
    })
  }

  /** What an entry's answers say of its node. */
  #nodeText(name: string | undefined): string {
    if (name === undefined) return ''
    const { nodes, nodeStatuses } = this.#state
    return nodeTextOf(nodes.get(name), nodeStatuses.get(name))
  }

  #markAll(): void {
    for (const id of this.#state.pools.ids()) this.#dirty.add(id)
    for (const id of this.#state.externals.ids()) this.#dirty.add(externalGroup + id)
    for (const id of this.#state.registeredServices.ids()) this.#dirty.add(registeredGroup + id)
    for (const group of this.#groups.keys()) this.#dirty.add(group)
  }

  #note(change: StateChange): void {
    this.#names.note(change)
    this.#mark(change)
    if (this.#dirty.size === 0 || this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (!this.#disposed) this.refresh()
    })
  }

  #mark(change: StateChange): void {
    if (change.kind === 'pools') this.#dirty.add(change.id)
    else if (change.kind === 'externals') this.#dirty.add(externalGroup + change.id)
    else if (change.kind === 'registeredServices') this.#dirty.add(registeredGroup + change.id)
    else if (change.kind === 'instances') this.#markPool(change.after ?? change.before)
    else if (change.kind === 'statuses') this.#markPool(this.#state.instances.get(change.id))
    else if (change.kind === 'nodes') {
      if (nodeTextOf(change.before, undefined) !== nodeTextOf(change.after, undefined)) this.#markNode(change.id)
    } else if (change.kind === 'nodeStatuses') {
      if (change.before?.online !== change.after?.online) this.#markNode(change.id)
    }
  }

  #markPool(of: { readonly app: string; readonly pool: string } | undefined): void {
    if (of !== undefined) this.#dirty.add(poolId(of.app, of.pool))
  }

  #markNode(node: string): void {
    const { revision } = this.#state
    this.#topics.touch(nodesTopic, revision)
    this.#topics.touch(nodeTopic(node), revision)
    this.#topics.touch(checksTopic, revision)
    for (const { app, pool } of this.#state.instances.byNode(node)) this.#dirty.add(poolId(app, pool))
  }
}

const nodeTextOf = (node: Node | undefined, status: Pick<NodeStatus, 'online'> | undefined): string =>
  node === undefined ? '' : JSON.stringify([node.address, node.labels, status?.online])

/** Each once, in order. */
export const tagsOf = (entries: Iterable<CatalogEntry>): string[] =>
  [...new Set([...entries].flatMap(({ tags }) => tags))].sort()
