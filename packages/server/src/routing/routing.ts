import {
  BerthError,
  type BgpPeer,
  BgpPlan,
  type BgpSettings,
  checkBgpPeer,
  checkBgpSettings,
  defaultBgpSettings,
  hostNameProblem,
  isOfTable,
  messageOf,
  type Node,
  type RoutesMode,
  searchDomainProblems,
} from '@berth/core'
import type { Logger } from 'pino'
import { ipv6Routes } from '../addresses/check-ipv6.ts'
import { twinPoolsOf } from '../addresses/twin-pools.ts'
import type { CallContext } from '../controllers/operations.ts'
import { requireFailoverWays } from '../failover/failover-addresses.ts'
import type {
  CloudTableRecord,
  Records,
  RecordTransaction,
  RoutingPeerRecord,
  RoutingRecord,
  State,
} from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'
import {
  type CloudTable,
  checkCloudTable,
  checkSites,
  maxTables,
  noTable,
  noTables,
  tooManyTables,
} from './cloud/cloud-table.ts'

export interface RoutingOptions {
  readonly records: Records
  readonly key: SecretKey
  readonly log: Logger
  /** The cluster's. */
  readonly domain?: string
  readonly now?: () => number
}

/** What is not named stays; a site's null takes its number away. */
export interface RoutingChange {
  readonly mode?: RoutesMode | undefined
  readonly as?: number | undefined
  readonly sites?: Readonly<Record<string, number | null>> | undefined
  readonly meshUpTo?: number | undefined
  readonly reflectors?: number | undefined
  /** All of them; empty: none. */
  readonly searchDomains?: readonly string[] | undefined
  /** Below it nodes answer Consul's names; empty: nowhere. */
  readonly consulDomain?: string | undefined
}

const recordName = 'cluster'
const maxPeers = 64

/**
 * How nodes learn the routes to each other's blocks: what people set, and what follows for each node. A peer's password is sealed at rest
 * and leaves this class only in the plan, which goes to the nodes that speak with it.
 */
export class Routing {
  readonly #records: Records
  readonly #state: State
  readonly #key: Buffer
  readonly #log: Logger
  readonly #domain: string
  readonly #now: () => number
  #plan: BgpPlan | undefined

  constructor(options: RoutingOptions) {
    this.#records = options.records
    this.#state = options.records.state
    this.#key = options.key.derive('routing')
    this.#log = options.log
    this.#domain = options.domain ?? 'berth'
    this.#now = options.now ?? Date.now
    this.#state.changes.subscribe(({ kind }) => {
      if (kind === 'nodes' || kind === 'routings' || kind === 'cloudTables') this.#plan = undefined
    })
  }

  /** Opens one password of the store, so that a server with the wrong key file says so at its start. Throws `secrets.cannot-open`. */
  verifyKey(): void {
    const peer = this.settings.peers.find(({ sealed }) => sealed !== undefined)
    if (peer !== undefined) this.#open(peer)
    const table = tablesOf(this.settings).find(({ sealed }) => sealed !== undefined)
    if (table !== undefined) this.tokenOf(table)
  }

  get settings(): RoutingRecord {
    return this.#state.routings.get(recordName) ?? unset
  }

  /** Made anew after a change only. */
  get plan(): BgpPlan {
    const { mode, as, sites, meshUpTo, reflectors, peers } = this.settings
    this.#plan ??= new BgpPlan({
      ...{ mode, settings: { as, sites, meshUpTo, reflectors } },
      peers: peers.flatMap((peer) => this.#withPassword(peer) ?? []),
      nodes: [...this.#state.nodes.values()],
      inForceFor: (node) => this.#inForceFor(node),
    })
    return this.#plan
  }

  /** Throws `routing.invalid-as`, `routing.invalid-setting`, `search-domains.invalid`, `cloud-routes.no-table`, `address-pool.ipv6-routes`, `failover.routes`. */
  async change(change: RoutingChange, context: CallContext): Promise<void> {
    await this.#put(context, (before) => {
      const sites = Object.entries({ ...before.sites, ...change.sites }).filter(([, as]) => as !== null)
      const settings: BgpSettings = checkBgpSettings({
        as: change.as ?? before.as,
        sites: Object.fromEntries(sites) as Record<string, number>,
        meshUpTo: change.meshUpTo ?? before.meshUpTo,
        reflectors: change.reflectors ?? before.reflectors,
      })
      const mode = change.mode ?? before.mode
      if (mode === 'cloud' && tablesOf(before).length === 0) throw noTables()
      requireFailoverWays(this.#state, mode)
      if (mode === 'cloud' && twinPoolsOf(this.#state).length > 0)
        throw ipv6Routes('an address pool has IPv6 (berth ip pool ls)')
      const search =
        change.searchDomains === undefined ? {} : { searchDomains: checkSearchDomains(change.searchDomains) }
      const { consulDomain: _, ...others } = before
      const consulDomain = change.consulDomain ?? before.consulDomain ?? ''
      if (change.consulDomain !== undefined) checkConsulDomain(change.consulDomain, this.#domain)
      return {
        record: { ...others, ...settings, ...search, ...(consulDomain === '' ? {} : { consulDomain }), mode },
        message: messageOfChange(change, mode !== before.mode),
      }
    })
  }

  /** Its password stays unless another is given; an empty one takes it away. Throws `routing.invalid-peer`, `routing.invalid-as`. */
  async setPeer(wanted: BgpPeer, context: CallContext): Promise<void> {
    const { password, ...peer } = checkBgpPeer(wanted.password === '' ? withoutPassword(wanted) : wanted)
    await this.#put(context, (before) => {
      const known = before.peers.find(({ name }) => name === peer.name)
      const others = before.peers.filter(({ name }) => name !== peer.name)
      if (others.length >= maxPeers) throw tooMany()
      const sealed = this.#sealedFor(peer, wanted.password, password, known)
      const record = { ...peer, ...(sealed === undefined ? {} : { sealed }) }
      return {
        record: { ...before, peers: [...others, record] },
        message: `nodes speak BGP with ${peer.name} (${peer.address})`,
      }
    })
  }

  /** Throws `routing.peer-not-found`. */
  async removePeer(name: string, context: CallContext): Promise<void> {
    await this.#put(context, (before) => {
      const peers = before.peers.filter((peer) => peer.name !== name)
      if (peers.length === before.peers.length) throw noPeer(name, before.peers)
      return { record: { ...before, peers }, message: `nodes speak BGP with ${name} no more` }
    })
  }

  /** Tables that are to be kept; none while routes are learned otherwise. */
  get tables(): readonly CloudTableRecord[] {
    return this.settings.mode === 'cloud' ? tablesOf(this.settings) : []
  }

  /** Throws `secrets.cannot-open`. */
  tokenOf(table: CloudTableRecord): string | undefined {
    return table.sealed === undefined ? undefined : unseal(this.#key, boundToTable(table), table.sealed)
  }

  /** Its token stays unless another is given, or it has another address; an empty one takes it away. Throws `cloud-routes.invalid-table`. */
  async setTable(wanted: CloudTable, context: CallContext): Promise<void> {
    const { token, ...table } = checkCloudTable(wanted)
    await this.#put(context, (before) => {
      const known = tablesOf(before).find(({ name }) => name === table.name)
      const others = tablesOf(before).filter(({ name }) => name !== table.name)
      checkSites(table, others)
      if (others.length >= maxTables) throw tooManyTables()
      const given = token === undefined || token === '' ? undefined : seal(this.#key, boundToTable(table), token)
      const sealed = token === undefined && known?.url === table.url ? known.sealed : given
      const record = { ...table, ...(sealed === undefined ? {} : { sealed }) }
      const message = `routes are entries of the table ${table.name} (${table.url})`
      return { record: { ...before, tables: [...others, record] }, message }
    })
  }

  /** Its entries stay there. Throws `cloud-routes.table-not-found`, `cloud-routes.no-table`. */
  async removeTable(name: string, context: CallContext): Promise<void> {
    await this.#put(context, (before, tx) => {
      const tables = tablesOf(before).filter((table) => table.name !== name)
      if (tables.length === tablesOf(before).length) throw noTable(name, tablesOf(before))
      if (tables.length === 0 && before.mode === 'cloud') throw noTables()
      tx.delete('cloudTables', name)
      return { record: { ...before, tables }, message: `the table ${name} is not kept any more; its entries stay` }
    })
  }

  #inForceFor(node: Pick<Node, 'labels'>): readonly string[] {
    const tables = this.tables.filter(({ site }) => isOfTable(node, site))
    return tables.flatMap(({ name }) =>
      (this.#state.cloudTables.get(name)?.inForce ?? []).map(({ destination }) => destination),
    )
  }

  async #put(
    context: CallContext,
    work: (
      before: RoutingRecord,
      tx: RecordTransaction,
    ) => { readonly record: RoutingRecord; readonly message: string },
  ): Promise<void> {
    const commit = (tx: RecordTransaction): void => {
      const { record, message } = work(this.settings, tx)
      tx.put('routings', { ...record, updatedAt: this.#now(), updatedBy: context.actor }, { ifUnchanged: true })
      tx.event({ type: 'routing.set', subject: {}, message })
    }
    await this.#records.commit(context.actor, commit, context)
  }

  /** Sealed with name and address, so that it is never sent to another. */
  #sealedFor(
    peer: Pick<BgpPeer, 'name' | 'address'>,
    given: string | undefined,
    password: string | undefined,
    known: RoutingPeerRecord | undefined,
  ): string | undefined {
    if (given === '') return undefined
    if (password !== undefined) return seal(this.#key, boundTo(peer), password)
    if (known?.sealed === undefined) return undefined
    if (known.address === peer.address) return known.sealed
    return seal(this.#key, boundTo(peer), this.#open(known) ?? '')
  }

  /** Without it the session would be refused by its peer: better there is none, and a line in the log that says why. */
  #withPassword({ sealed, ...peer }: RoutingPeerRecord): BgpPeer | undefined {
    if (sealed === undefined) return peer
    try {
      return { ...peer, password: this.#open({ ...peer, sealed }) ?? '' }
    } catch (error) {
      this.#log.error({ err: error, peer: peer.name }, messageOf(error))
      return undefined
    }
  }

  #open(peer: RoutingPeerRecord): string | undefined {
    return peer.sealed === undefined ? undefined : unseal(this.#key, boundTo(peer), peer.sealed)
  }
}

function messageOfChange(
  { mode = 'static', searchDomains, consulDomain, ...bgp }: RoutingChange,
  isOther: boolean,
): string {
  const isBgp = Object.values(bgp).some((each) => each !== undefined)
  const parts = [
    isOther ? `routes are ${wayOf(mode)} from now on` : undefined,
    !isOther && (isBgp || (searchDomains === undefined && consulDomain === undefined))
      ? 'settings of BGP were changed'
      : undefined,
    searchDomains === undefined
      ? undefined
      : `short names are looked for in ${searchDomains.join(', ') || 'no other domain'}`,
    consulDomain === undefined
      ? undefined
      : `Consul’s names are answered ${consulDomain === '' ? 'nowhere' : `below ${consulDomain}`}`,
  ]
  return parts.filter((each) => each !== undefined).join('; ')
}

function checkSearchDomains(domains: readonly string[]): readonly string[] {
  const problems = searchDomainProblems(domains).map(({ message }) => message)
  if (problems.length === 0) return [...domains]
  throw new BerthError('search-domains.invalid', `search domains: ${problems.join('; ')}`, { details: { problems } })
}

/** Throws `consul.invalid-domain`. */
function checkConsulDomain(domain: string, own: string): void {
  if (domain === '') return
  const isOwn = domain === own || domain.endsWith(`.${own}`) || own.endsWith(`.${domain}`)
  const problem = isOwn ? `and the cluster’s own names (${own}) are in one another` : hostNameProblem(domain)
  if (problem !== undefined)
    throw new BerthError(
      'consul.invalid-domain',
      `${JSON.stringify(domain.slice(0, 80))} ${problem}; write e.g. consul`,
    )
}

const unset: RoutingRecord = {
  name: recordName,
  mode: 'static',
  ...defaultBgpSettings,
  peers: [],
  updatedAt: 0,
  updatedBy: '',
}

const tablesOf = ({ tables = [] }: RoutingRecord): readonly CloudTableRecord[] => tables

const boundToTable = ({ name, url }: Pick<CloudTableRecord, 'name' | 'url'>): readonly string[] => [
  ...['cloud-routes', name, url],
]

const boundTo = ({ name, address }: Pick<BgpPeer, 'name' | 'address'>): readonly string[] => ['routing', name, address]

const wayOf = (mode: RoutesMode): string =>
  ({ static: 'static', bgp: 'learned by BGP', cloud: 'entries of a provider’s table' })[mode]

function withoutPassword({ password: _, ...peer }: BgpPeer): BgpPeer {
  return peer
}

const tooMany = (): BerthError =>
  new BerthError('routing.invalid-peer', `there are ${maxPeers} peers already; remove one: berth net peer rm`)

function noPeer(name: string, peers: readonly RoutingPeerRecord[]): BerthError {
  const there = peers.length === 0 ? 'there is none' : `there are: ${peers.map((peer) => peer.name).join(', ')}`
  return new BerthError('routing.peer-not-found', `no BGP peer ${name}; ${there}`)
}
