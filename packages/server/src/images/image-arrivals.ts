import { setTimeout as delay } from 'node:timers/promises'
import { type AppSpec, type ImageArrival, messageOf, needsImages, type Pool, type Rollout } from '@berth/core'
import type { Logger } from 'pino'
import { noSource } from '../agents/image-copies.ts'
import { poolId, type State } from '../records/index.ts'
import { imagePlaces, mayTake, type PlacesFrom } from './image-places.ts'

export interface ArrivalAgents {
  /** Nodes that have it for all that is known, without asking. */
  holdersOf(image: string): ReadonlySet<string>
  /** Its agent can be asked now. */
  isConnected(node: string): boolean
  /** The node is asked. */
  hasImage(image: string, node: string, options: { readonly signal: AbortSignal }): Promise<boolean>
  /** Resolves to why it could not be brought; undefined: it is there. */
  bringImage(image: string, node: string): Promise<string | undefined>
}

export interface ImageArrivalsOptions extends PlacesFrom {
  readonly agents: ArrivalAgents
  readonly log: Logger
  /** Something has arrived, or will not: the pool is to be looked at. */
  readonly onChange: (pool: string) => void
  readonly retryMs?: number
}

interface Bringing {
  /** Not all places have been asked yet. */
  isAsking: boolean
  readonly image: string
  readonly pool: string
  readonly arrivals: Map<string, ImageArrival>
  readonly ending: AbortController
}

/** So many places of a rollout are imagined; with more than that a pool is on most nodes anyway. */
const mostImagined = 200
/** Where many rollouts begin at once fewer of each, so that asking for a hundred thousand images is not all that happens. */
const imaginedAtATime = 2_000
const leastImagined = 5
const maxTries = 3
const askMs = 15_000
const askedAtOnce = 64
const away = 'its agent is dialling again'

/**
 * Brings the images of rollouts to the nodes that will need them, before anything is replaced. What it knows is in memory only: after a
 * restart nodes are asked again, and what had arrived is found there.
 */
export class ImageArrivals implements Disposable {
  readonly #options: ImageArrivalsOptions
  readonly #state: State
  readonly #bringing = new Map<string, Bringing>()
  readonly #unsubscribe: () => void

  constructor(options: ImageArrivalsOptions) {
    this.#options = options
    this.#state = options.state
    this.#unsubscribe = this.#state.changes.subscribe((change) => {
      if (change.kind === 'rollouts') this.#onRollout(change.id, change.after)
      // Nodes that are cordoned or fall silent are not waited for any more.
      else if (change.kind === 'nodes' || change.kind === 'nodeStatuses') this.#onNode(change.id)
    })
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
    for (const { ending } of this.#bringing.values()) ending.abort()
  }

  /** Where the rollout's image is; the first look begins to bring it to those that miss it. */
  look(pool: Pool, rollout: Rollout, spec: AppSpec | undefined): readonly ImageArrival[] {
    const image = this.#state.releases.find(pool.app, rollout.to)?.image
    const generations = this.#state.instances.valuesInPool(pool.app, pool.name, 'generation')
    if (image === undefined || spec === undefined || !needsImages(generations, rollout)) return []
    const bringing = this.#bringing.get(rollout.id) ?? this.#begin(image, pool, rollout, spec)
    return [...bringing.arrivals.values()].filter(({ node }) => mayTake(this.#options, node))
  }

  #begin(image: string, pool: Pool, rollout: Rollout, spec: AppSpec): Bringing {
    const { agents } = this.#options
    const others = this.#bringing.values().reduce((count, { isAsking }) => count + Number(isAsking), 0)
    const imagined = Math.max(leastImagined, Math.min(mostImagined, Math.floor(imaginedAtATime / (others + 1))))
    const places = imagePlaces(this.#options, pool, rollout, spec, imagined)
    const holders = agents.holdersOf(image)
    const bringing: Bringing = {
      ...{ image, pool: poolId(pool.app, pool.name), ending: new AbortController(), isAsking: true },
      arrivals: new Map(places.map((node) => [node, { node, state: holders.has(node) ? 'there' : 'coming' }])),
    }
    this.#bringing.set(rollout.id, bringing)
    void this.#ask(
      bringing,
      places.filter((node) => !holders.has(node)),
    )
    return bringing
  }

  /** So many at a time, since there may be thousands; who lacks it begins to get it at once. Never rejects. */
  async #ask(bringing: Bringing, nodes: readonly string[]): Promise<void> {
    for (let from = 0; from < nodes.length && !bringing.ending.signal.aborted; from += askedAtOnce)
      await Promise.all(nodes.slice(from, from + askedAtOnce).map((node) => this.#askOne(bringing, node)))
    bringing.isAsking = false
  }

  /** One that does not answer counts as one that lacks it. */
  async #askOne(bringing: Bringing, node: string): Promise<void> {
    const { ending } = bringing
    const there = this.#options.agents.isConnected(node) && (await this.#hasImage(bringing, node))
    if (there) this.#tell(bringing, { node, state: 'there' })
    else if (!ending.signal.aborted) void this.#bring(bringing, node)
  }

  #hasImage({ image, ending }: Bringing, node: string): Promise<boolean> {
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(askMs)])
    return this.#options.agents.hasImage(image, node, { signal }).catch(() => false)
  }

  /**
   * A node that cannot take it gets another two tries; one that can give it may come back, and is waited for, as is the node itself while it counts as
   * online. Never rejects.
   */
  async #bring(bringing: Bringing, node: string): Promise<void> {
    const { image, ending } = bringing
    const { log, agents, retryMs = 5_000 } = this.#options
    try {
      for (let tries = 1; ; ) {
        const message = agents.isConnected(node) ? await agents.bringImage(image, node).catch(messageOf) : away
        if (message === undefined) return this.#tell(bringing, { node, state: 'there' })
        const isItsOwn = message !== noSource && agents.isConnected(node)
        if (isItsOwn && tries++ >= maxTries) return this.#tell(bringing, { node, state: 'failed', message })
        this.#tell(bringing, { node, state: 'coming', message })
        await delay(retryMs * tries, undefined, { signal: ending.signal })
      }
    } catch (error) {
      if (!ending.signal.aborted) log.error({ err: error, node, image }, `bring image ${image} to ${node}`)
    }
  }

  #tell(bringing: Bringing, arrival: ImageArrival): void {
    const { state, message } = bringing.arrivals.get(arrival.node) ?? {}
    if (bringing.ending.signal.aborted || (state === arrival.state && message === arrival.message)) return
    bringing.arrivals.set(arrival.node, arrival)
    this.#options.onChange(bringing.pool)
  }

  #onNode(node: string): void {
    for (const { arrivals, pool } of this.#bringing.values()) if (arrivals.has(node)) this.#options.onChange(pool)
  }

  /** What is on its way to a node arrives all the same; nothing is begun any more. */
  #onRollout(id: string, rollout: Rollout | undefined): void {
    if (rollout !== undefined && rollout.endedAt === undefined && rollout.state !== 'rolling-back') return
    this.#bringing.get(id)?.ending.abort()
    this.#bringing.delete(id)
  }
}
