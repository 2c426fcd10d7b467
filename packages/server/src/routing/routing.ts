import {
  BerthError,
  type BgpPeer,
  BgpPlan,
  type BgpSettings,
  checkBgpPeer,
  checkBgpSettings,
  defaultBgpSettings,
  messageOf,
  type RoutesMode,
} from '@berth/core'
import type { Logger } from 'pino'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, RecordTransaction, RoutingPeerRecord, RoutingRecord, State } from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'

export interface RoutingOptions {
  readonly records: Records
  readonly key: SecretKey
  readonly log: Logger
  readonly now?: () => number
}

/** What is not named stays; a site's null takes its number away. */
export interface RoutingChange {
  readonly mode?: RoutesMode | undefined
  readonly as?: number | undefined
  readonly sites?: Readonly<Record<string, number | null>> | undefined
  readonly meshUpTo?: number | undefined
  readonly reflectors?: number | undefined
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
  readonly #now: () => number
  #plan: BgpPlan | undefined

  constructor(options: RoutingOptions) {
    this.#records = options.records
    this.#state = options.records.state
    this.#key = options.key.derive('routing')
    this.#log = options.log
    this.#now = options.now ?? Date.now
    this.#state.changes.subscribe(({ kind }) => {
      if (kind === 'nodes' || kind === 'routings') this.#plan = undefined
    })
  }

  /** Opens one password of the store, so that a server with the wrong key file says so at its start. Throws `secrets.cannot-open`. */
  verifyKey(): void {
    const peer = this.settings.peers.find(({ sealed }) => sealed !== undefined)
    if (peer !== undefined) this.#open(peer)
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
    })
    return this.#plan
  }

  /** Throws `routing.invalid-as`, `routing.invalid-setting`. */
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
      const message = mode === before.mode ? 'settings of BGP were changed' : `routes are ${wayOf(mode)} from now on`
      return { record: { ...before, ...settings, mode }, message }
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

  async #put(
    context: CallContext,
    work: (before: RoutingRecord) => { readonly record: RoutingRecord; readonly message: string },
  ): Promise<void> {
    const commit = (tx: RecordTransaction): void => {
      const { record, message } = work(this.settings)
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

const unset: RoutingRecord = {
  name: recordName,
  mode: 'static',
  ...defaultBgpSettings,
  peers: [],
  updatedAt: 0,
  updatedBy: '',
}

const boundTo = ({ name, address }: Pick<BgpPeer, 'name' | 'address'>): readonly string[] => ['routing', name, address]

const wayOf = (mode: RoutesMode): string => ({ static: 'static', bgp: 'learned by BGP' })[mode]

function withoutPassword({ password: _, ...peer }: BgpPeer): BgpPeer {
  return peer
}

const tooMany = (): BerthError =>
  new BerthError('routing.invalid-peer', `there are ${maxPeers} peers already; remove one: berth net peer rm`)

function noPeer(name: string, peers: readonly RoutingPeerRecord[]): BerthError {
  const there = peers.length === 0 ? 'there is none' : `there are: ${peers.map((peer) => peer.name).join(', ')}`
  return new BerthError('routing.peer-not-found', `no BGP peer ${name}; ${there}`)
}
