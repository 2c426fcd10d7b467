import {
  type AppSpec,
  compileNames,
  type ExternalService,
  familyOf,
  type Instance,
  type NamedApp,
  type NamedDomain,
  type NamedExternal,
  type NamedService,
  type NameEntry,
  type NameTable,
  type Node,
  namedServices,
  type Pool,
  type RegisteredService,
  worstStatus,
} from '@berth/core'
import { hasTwin } from '../addresses/twin-pools.ts'
import { withReachedAddress } from '../lans/lan-nodes.ts'
import { type ChangeOf, type DomainRecord, poolId, type State, type StateChange } from '../records/index.ts'

export interface NameTablesOptions {
  readonly state: State
  readonly defaultPool: string
  /** Entries and apps, times nodes, up to which every node knows the names of everything. */
  readonly fullLimit?: number
}

/** About 30 megabytes, all nodes together: a tenth of a second. */
const defaultFullLimit = 250_000

interface PoolNames {
  /** Instances that are ready. */
  readonly count: number
  /** Nobody looks for one of them: they are counted, and no more. The revision at which they were. */
  readonly countedAt?: number
  readonly entries: readonly NameEntry[]
  /** What `entries` are, to be compared with. */
  readonly text: string
}

const noNames: PoolNames = { count: 0, entries: [], text: '[]' }

/**
 * The names that nodes know. In most clusters every node knows those of everything. Where that would be too much to send, each node has
 * its own (`NameScopes`). What has changed is found pool by pool.
 */
export class NameTables {
  readonly #options: NameTablesOptions
  readonly #pools = new Map<string, PoolNames>()
  readonly #dirty = new Set<string>()
  #apps: { readonly list: readonly NamedApp[]; readonly text: string } | undefined
  #isAppsDirty = true
  readonly #dirtyApps = new Set<string>()
  #count = 0
  #version = 0
  #full: NameTable | undefined
  #others: Pick<NameTable, 'externals' | 'domains' | 'services'> | undefined
  #isOthersChanged = false
  /** Names of what listens on no port are left out. */
  #isScoped = false

  constructor(options: NameTablesOptions) {
    this.#options = options
    for (const id of options.state.pools.ids()) this.#dirty.add(id)
    this.refresh()
  }

  /** True when it may have changed names. */
  note(change: StateChange): boolean {
    if (change.kind === 'instances') return this.#noteInstance(change.id, change.before, change.after)
    if (change.kind === 'statuses') return this.#noteStatus(change)
    if (change.kind === 'nodes') return this.#noteNode(change)
    if (change.kind === 'addressPools') return this.#noteAddressPool(change)
    if (change.kind === 'registeredServices' && namedText(change.before) === namedText(change.after)) return false
    if (change.kind === 'externals' || change.kind === 'domains' || change.kind === 'registeredServices') {
      this.#others = undefined
      this.#isOthersChanged = true
      return true
    }
    if (change.kind === 'pools') {
      const { before, after } = change
      if (before !== undefined && after !== undefined && runsSame(before, after)) return false
      this.#dirty.add(change.id)
    } else if (change.kind !== 'apps') return false
    this.#dirtyApps.add(change.kind === 'apps' ? change.id : change.id.slice(0, change.id.indexOf('/')))
    this.#isAppsDirty = true
    return true
  }

  #noteStatus({ id, before, after, revision }: ChangeOf<'statuses'>): boolean {
    const { instances, nodes } = this.#options.state
    const [app, pool] = [instances.field(id, 'app'), instances.field(id, 'pool')]
    if (
      app === undefined ||
      pool === undefined ||
      (before?.ready === after?.ready && before?.address === after?.address)
    )
      return false
    const key = poolId(app, pool)
    const known = this.#pools.get(key)
    if (!this.#isScoped || known?.countedAt === undefined || known.countedAt >= revision || this.#dirty.has(key)) {
      this.#dirty.add(key)
      return true
    }
    const more = Number(after?.ready === true) - Number(before?.ready === true)
    this.#pools.set(key, { ...known, count: known.count + more })
    this.#count += more
    return this.#size * nodes.size <= this.#limit
  }

  /** Where it stands is told with the names of what runs there. */
  #noteNode({ id, before, after }: ChangeOf<'nodes'>): boolean {
    if (siteOf(before) === siteOf(after)) return false
    const instances = this.#options.state.instances.byNode(id)
    for (const { app, pool } of instances) this.#dirty.add(poolId(app, pool))
    return instances.length > 0
  }

  /** What runs has no IPv6 when its pool gets it. */
  #noteAddressPool({ before, after }: ChangeOf<'addressPools'>): boolean {
    if (before?.ipv6Since === after?.ipv6Since) return false
    for (const id of this.#options.state.pools.ids()) this.#dirty.add(id)
    return true
  }

  /** One that is not ready has no name yet. */
  #noteInstance(id: string, before: Instance | undefined, after: Instance | undefined): boolean {
    const record = after ?? before
    if (record === undefined || (after !== undefined && this.#options.state.statuses.field(id, 'ready') !== true))
      return false
    this.#dirty.add(poolId(record.app, record.pool))
    return true
  }

  get version(): number {
    return this.#version
  }

  /** Each node has a table of its own. */
  get isScoped(): boolean {
    return this.#isScoped
  }

  /**
   * Looks at what has been noted. Returns the apps whose names are others now; `all` where every node gets another
   * table; undefined: nothing has changed.
   */
  refresh(): ReadonlySet<string> | 'all' | undefined {
    const changed = this.#refreshPools()
    const isEntriesChanged = changed.size > 0
    const isListChanged = !this.#isScoped && this.#isAppsDirty && this.#refreshApps()
    for (const app of this.#dirtyApps) changed.add(app)
    this.#dirtyApps.clear()
    const isScoped = this.#size * this.#options.state.nodes.size > this.#limit
    const isTurned = isScoped !== this.#isScoped
    if (isTurned) {
      this.#isScoped = isScoped
      if (!isScoped) this.#refreshApps()
      for (const id of this.#options.state.pools.ids()) this.#dirty.add(id)
      this.#refreshPools()
    }
    const isForAll = isTurned || this.#isOthersChanged
    this.#isOthersChanged = false
    if (!isForAll && !isListChanged && !isEntriesChanged && !(isScoped && changed.size > 0)) return undefined
    this.#version = this.#options.state.revision
    this.#full = undefined
    return isForAll || !isScoped ? 'all' : changed
  }

  /** Lines of the full table: a thousand apps that are only just being deployed are much to tell thousands of nodes, too. */
  get #size(): number {
    return this.#count + this.#options.state.apps.size
  }

  get #limit(): number {
    return this.#options.fullLimit ?? defaultFullLimit
  }

  #refreshPools(): Set<string> {
    const changed = new Set<string>()
    for (const id of this.#dirty) if (this.#refreshPool(id)) changed.add(id.slice(0, id.indexOf('/')))
    this.#dirty.clear()
    return changed
  }

  /** One and the same object until something changes. */
  full(): NameTable {
    this.#full ??= {
      version: this.#version,
      entries: [...this.#pools.values()]
        .flatMap((each) => each.entries)
        .sort((a, b) => (a.instance < b.instance ? -1 : 1)),
      apps: this.#apps?.list ?? [],
      ...this.others(),
    }
    return this.#full
  }

  /** Of a table, whatever node it is for. */
  others(): Pick<NameTable, 'externals' | 'domains' | 'services'> {
    if (this.#others === undefined) {
      const { state } = this.#options
      const externals = state.externals.all().map(namedExternal).sort(byName)
      const domains = state.domains.all().map(namedDomain).sort(byName)
      const services = state.registeredServices.all().flatMap((each) => namedService(each) ?? [])
      this.#others = {
        ...(externals.length === 0 ? {} : { externals }),
        ...(domains.length === 0 ? {} : { domains }),
        ...(services.length === 0 ? {} : { services }),
      }
    }
    return this.#others
  }

  /** Of one pool. */
  entriesOf(app: string, pool: string): readonly NameEntry[] {
    return this.#pools.get(poolId(app, pool))?.entries ?? []
  }

  #refreshPool(id: string): boolean {
    const { state } = this.#options
    const pool = state.pools.get(id)
    const before = this.#pools.get(id) ?? noNames
    const after = pool === undefined ? noNames : this.#compile(pool)
    if (pool === undefined) this.#pools.delete(id)
    else this.#pools.set(id, after)
    this.#count += after.count - before.count
    return after.text !== before.text
  }

  #compile(pool: Pool): PoolNames {
    const { state } = this.#options
    if (this.#isScoped && !listens(state, pool))
      return { ...noNames, count: readyIn(state, pool), countedAt: state.revision }
    const instances = state.instances.byPool(pool.app, pool.name).map((found) => {
      const [instance, status] = [withReachedAddress(state, found), state.statuses.get(found.id)]
      return status === undefined ? { instance } : { instance, status }
    })
    const { entries } = compileNames(
      instances,
      (app, release) => this.#specOf(app, release),
      [],
      0,
      (node) => siteOf(state.nodes.get(node)),
      (instance) => hasTwin(state, instance),
    )
    return { count: entries.length, entries, text: JSON.stringify(entries) }
  }

  #refreshApps(): boolean {
    const { state, defaultPool } = this.#options
    this.#isAppsDirty = false
    const list = [...state.apps.values()].map((app) => namedApp(state, app.name, defaultPool))
    const text = JSON.stringify(list)
    const isChanged = text !== this.#apps?.text
    this.#apps = { list, text }
    return isChanged
  }

  #specOf = (app: string, release: string): AppSpec | undefined => this.#options.state.releases.find(app, release)?.spec
}

/** Empty says nothing. */
export const siteOf = (node: Node | undefined): string | undefined => node?.labels.site || undefined

/** One that is critical has no name. */
function namedService(each: RegisteredService): NamedService | undefined {
  const { name: service, address, port, tags, checks } = each
  return worstStatus(checks) === 'critical' ? undefined : { service, address, port, tags }
}

const namedText = (each: RegisteredService | undefined): string | undefined =>
  each === undefined ? undefined : JSON.stringify(namedService(each))

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1)

function namedDomain({ version: _, updatedAt: __, updatedBy: ___, ...domain }: DomainRecord): NamedDomain {
  return domain.addresses === undefined ? domain : { ...domain, ...byFamily(domain.addresses) }
}

/** netd of a version before knows addresses of IPv4 alone. */
function byFamily(all: readonly string[]): Pick<NamedExternal, 'addresses' | 'addresses6'> {
  const addresses6 = all.filter((address) => familyOf(address) === 6)
  const addresses = all.filter((address) => familyOf(address) === 4)
  return { addresses, ...(addresses6.length === 0 ? {} : { addresses6 }) }
}

const namedExternal = ({ name, addresses, target, ports, site }: ExternalService): NamedExternal => ({
  ...{ name, ...byFamily(addresses), ports },
  ...(target === undefined ? {} : { target }),
  ...(site === undefined ? {} : { site }),
})

/** Something that it runs, or is about to run, has a port. */
function listens(state: State, { app, name, release }: Pool): boolean {
  const to = state.pools.find(app, name)?.rollout
  const releases = new Set([release, to === undefined ? undefined : state.rollouts.get(to)?.to])
  return [...releases].some((id) =>
    Object.values((id === undefined ? undefined : state.releases.find(app, id)?.spec.entrypoints) ?? {}).some(
      (each) => each.ports.length > 0,
    ),
  )
}

const readyIn = (state: State, { app, name }: Pool): number =>
  state.instances.idsByPool(app, name).reduce((sum, id) => sum + Number(state.statuses.field(id, 'ready') === true), 0)

const runsSame = (before: Pool, after: Pool): boolean =>
  before.release === after.release && before.rollout === after.rollout

/** Where pools run releases of other entrypoints, the default pool's come first: they tell what the app's own name means. */
export function namedApp(state: State, app: string, defaultPool: string): NamedApp {
  const names = state.pools
    .byApp(app)
    .map((pool) => pool.name)
    .sort((a, b) => Number(b === defaultPool) - Number(a === defaultPool) || (a < b ? -1 : 1))
  const entrypoints = specsOf(state, app, names).flatMap((spec) => namedServices(spec.entrypoints))
  return { app, pools: names, entrypoints: [...new Set(entrypoints)] }
}

/** Of what the pools run, in their order. */
export function specsOf(state: State, app: string, pools: readonly string[]): AppSpec[] {
  const releases = new Set(
    pools.flatMap((name) => {
      const pool = state.pools.find(app, name)
      return pool === undefined ? [] : (releaseOf(state, pool) ?? [])
    }),
  )
  return [...releases].flatMap((id) => state.releases.find(app, id)?.spec ?? [])
}

/** During a first deploy the names exist already: entrypoints that need each other wait for an answer, not for a name. */
function releaseOf(state: State, pool: Pool): string | undefined {
  if (pool.release !== undefined || pool.rollout === undefined) return pool.release
  return state.rollouts.get(pool.rollout)?.to
}
