import type { RegistryReport } from '@berth/api'
import { messageOf, type RegistryPlace } from '@berth/core'
import type { Logger } from 'pino'
import { KeyLoop } from '../controllers/key-loop.ts'
import type { Records, RegistryHome, State } from '../records/index.ts'
import { type ClusterRegistry, forgetLeft, hasRoom, leftNodes, registryHome, within } from './cluster-registry.ts'
import type { RegistryAgents } from './registry-agents.ts'
import { RegistryOffers } from './registry-offers.ts'
import type { RegistryOrders } from './registry-orders.ts'
import { RegistryPushes } from './registry-pushes.ts'
import type { RegistryTokens } from './registry-tokens.ts'

export interface RegistryKeeperOptions {
  readonly records: Records
  readonly agents: RegistryAgents
  readonly orders: RegistryOrders
  readonly tokens: RegistryTokens
  readonly registry: Pick<ClusterRegistry, 'collect'>
  readonly log: Logger
  readonly now?: () => number
  readonly lookMs?: number
  readonly collectEveryMs?: number
  /** See {@link RegistryOffers}. */
  readonly pushWaitMs?: number
  readonly restMs?: number
}

const actor = 'system:registry'
/** The key of the registry itself; nodes that ran it before have their names. */
const key = ''
const answerMs = 60_000
const collectAgainMs = 3_600_000
/** What came so lately may be of a release that is on its way. */
const youngMs = 600_000
const defaults = { lookMs: 30_000, collectEveryMs: 86_400_000, pushWaitMs: 60_000, restMs: 30_000 }

/**
 * Keeps the cluster's registry as its record says: running on its node, with the images of all releases in it, and without those of
 * none. What it has is asked anew at every look; nothing is lost with it, since nodes have what it has.
 */
export class RegistryKeeper implements AsyncDisposable {
  readonly offers: RegistryOffers
  readonly #options: RegistryKeeperOptions
  readonly #times: Pick<typeof defaults, 'lookMs' | 'collectEveryMs'>
  readonly #state: State
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #pushes: RegistryPushes
  readonly #unsubscribe: () => void
  /** Nothing is pushed while its disk is full, or garbage is collected. */
  #takesPushes = true
  #collectAgainAt = 0
  #home: RegistryHome | undefined

  constructor(options: RegistryKeeperOptions) {
    const { lookMs, collectEveryMs, pushWaitMs, restMs } = { ...defaults, ...options }
    this.#options = options
    this.#times = { lookMs, collectEveryMs }
    this.#state = options.records.state
    this.#now = options.now ?? Date.now
    this.#pushes = new RegistryPushes({
      ...{ state: this.#state, agents: options.agents, log: options.log, now: this.#now },
      transferFor: (place, image, home) => this.#transfer(place, image, home, 'push'),
      onPushed: (place) => {
        this.offers.pushed(place)
        this.#pushMissing()
      },
    })
    this.offers = new RegistryOffers({
      ...{ state: this.#state, agents: options.agents, now: this.#now, pushWaitMs, restMs },
      transferFor: (place, image, home) => this.#transfer(place, image, home, 'pull'),
      pushing: (place) => this.#pushes.underWay(place),
      onDoubt: () => this.#loop.mark(key),
    })
    this.#loop = new KeyLoop({
      ...{ name: 'registry', log: options.log, now: this.#now },
      process: (node, signal) => (node === key ? this.#attend(signal) : this.#tellLeft(node, signal)),
    })
    this.#unsubscribe = this.#state.changes.subscribe(({ kind, id }) => {
      if (kind === 'releases') this.#pushMissing()
      if (kind === 'imageRegistries') this.#changed()
      if (kind === 'nodeStatuses') this.nodeChanged(id)
    })
    this.#changed()
  }

  /** A node's link has come or gone. */
  nodeChanged(node: string): void {
    if (registryHome(this.#state)?.node === node) this.#loop.mark(key)
    if (leftNodes(this.#state).some((each) => each.node === node)) this.#loop.mark(node)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#pushes[Symbol.asyncDispose]()
    await this.#loop[Symbol.asyncDispose]()
  }

  /** It may be somewhere else now. */
  #changed(): void {
    this.offers.found(undefined)
    const home = registryHome(this.#state)
    if (home?.node !== this.#home?.node || home?.port !== this.#home?.port) this.#pushes.drop()
    this.#home = home
    this.#look()
  }

  #look(): void {
    this.#loop.mark(key)
    for (const { node } of leftNodes(this.#state)) this.#loop.mark(node)
  }

  async #attend(signal: AbortSignal): Promise<number | undefined> {
    const home = registryHome(this.#state)
    if (home === undefined || !this.#options.agents.isConnected(home.node)) {
      this.offers.found(undefined)
      return home === undefined ? undefined : this.#now() + this.#times.lookMs
    }
    const report = await this.#inForce(home, signal).catch((error: unknown) => {
      this.offers.found(undefined)
      throw error
    })
    // What failed while it was away is tried at once.
    if (this.offers.contents === undefined) this.#pushes.forgive()
    this.offers.found(report.running ? report.images : undefined)
    if (await this.#collectIfDue(home, report, signal)) return this.#now()
    this.#takesPushes = hasRoom(report)
    this.#pushMissing()
    return this.#now() + this.#times.lookMs
  }

  /** Not before the rest: one that is silent, or does not obey, keeps nobody from the registry that there is. */
  async #tellLeft(node: string, signal: AbortSignal): Promise<number | undefined> {
    const { agents, records, log } = this.#options
    const left = leftNodes(this.#state).find((each) => each.node === node)
    if (left === undefined) return undefined
    if (this.#state.nodes.has(node)) {
      if (!agents.isConnected(node)) return this.#now() + this.#times.lookMs
      await agents.end(node, left, { signal: within(signal, answerMs) })
      log.info({ node, purge: left.purge }, `the registry on ${node} has ended`)
    }
    await records.commit(actor, (tx) => forgetLeft(tx, this.#state, node))
    return undefined
  }

  /** Told anew when it is not as it should be: after a change, on a node that was set up anew, before its certificate ends. */
  async #inForce(home: RegistryHome, signal: AbortSignal): Promise<RegistryReport> {
    const { agents, orders, log } = this.#options
    const report = await agents.report(home.node, { signal: within(signal, answerMs) })
    if (orders.isInForce(home, report)) return report
    log.info({ node: home.node }, `${home.node} is told to run the registry`)
    return await agents.run(home.node, await orders.make(home), { signal: within(signal, answerMs) })
  }

  /** True when it did: what it has left is to be asked. */
  async #collectIfDue(home: RegistryHome, { running, collected }: RegistryReport, signal: AbortSignal) {
    const dueAt = Math.max(collected?.at ?? 0, home.since) + this.#times.collectEveryMs
    if (!running || this.#now() < Math.max(dueAt, this.#collectAgainAt)) return false
    this.#takesPushes = false
    await this.#pushes.idle()
    try {
      await this.#options.registry.collect(youngMs, { actor, signal })
    } catch (error) {
      signal.throwIfAborted()
      this.#collectAgainAt = this.#now() + collectAgainMs
      this.#options.log.warn(
        { err: error, node: home.node },
        `the registry keeps its garbage for now: ${messageOf(error)}`,
      )
    }
    return true
  }

  #pushMissing(): void {
    const home = registryHome(this.#state)
    const { contents, serves } = this.offers
    if (home !== undefined && contents !== undefined && this.#takesPushes && serves) this.#pushes.start(home, contents)
  }

  #transfer(place: RegistryPlace, image: string, home: RegistryHome, action: 'push' | 'pull') {
    const { orders, tokens } = this.#options
    const { repository, tag } = place
    const token = tokens.tokenFor(place, action, this.#now())
    return { ...{ repository, tag, image, token }, host: orders.hostOf(home) }
  }
}
