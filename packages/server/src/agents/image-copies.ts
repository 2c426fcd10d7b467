import { BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { imageRulesOf } from '../images/image-rules.ts'
import type { State } from '../records/index.ts'
import { NodePaces, watchCopy } from './copy-pace.ts'
import { CopySlots } from './copy-slots.ts'
import { ImageHolders } from './image-holders.ts'

export interface ImageCopiesOptions {
  readonly state: State
  readonly isConnected: (node: string) => boolean
  readonly copy: CopyImage
  readonly log: Logger
  readonly signal: AbortSignal
  /** Asked first. */
  readonly registry?: ImageOffers
  /** After so long without a byte a copy has failed. */
  readonly stallMs?: number
}

/** A place that images are pulled from, each node by itself. */
export interface ImageOffers {
  /** False: it does not have it, or is not to be reached; it may be on its way there, and is waited for. Never rejects. */
  offers(image: string): Promise<boolean>
  pull(image: string, to: string, options: { readonly signal: AbortSignal }): Promise<void>
}

/** A giver that is no node: no node has an empty name. It gives to more than any disk of a node could. */
const registryGiver = ''
const registryGives = 32

/** What is said where no node that is connected has the image: one that has it may come back. */
export const noSource = 'no connected node has it'

export type CopyImage = (
  image: string,
  from: string,
  to: string,
  options: { readonly signal: AbortSignal; readonly pass: PassBytes },
) => Promise<void>

export type PassBytes = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>

/**
 * Brings an image to a node that misses it: from the cluster's registry where there is one, else, or if that fails, from a node that has
 * it, within what both take and give at once; who has got it gives it to others. One copy at a time per node and image; an agent that still misses it says so again.
 */
export class ImageCopies implements Disposable {
  readonly holders: ImageHolders
  readonly #options: ImageCopiesOptions
  readonly #running = new Map<string, Promise<string | undefined>>()
  readonly #slots: CopySlots
  readonly #paces: NodePaces
  readonly #unsubscribe: () => void

  constructor(options: ImageCopiesOptions) {
    this.#options = options
    const { state } = options
    this.holders = new ImageHolders(state)
    this.#slots = new CopySlots((node) =>
      node === registryGiver ? { takes: 0, gives: registryGives } : imageRulesOf(state, node),
    )
    this.#paces = new NodePaces((node) => imageRulesOf(state, node).bytesPerSecond)
    // A node that has gone is no source any more, and rules may have changed.
    this.#unsubscribe = state.changes.subscribe(({ kind }) => {
      if (kind === 'nodes' || kind === 'nodeStatuses' || kind === 'groups') this.#slots.look()
    })
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }

  /**
   * What an agent asks for. True when the node has it now; false when no connected node could give it, or the node is not to run it: an
   * image holds an app's source, and a node gets none but those of its own instances. Never rejects.
   */
  async bringAsked(image: string, to: string): Promise<boolean> {
    if (this.#isForInstanceOf(image, to)) return (await this.bring(image, to)) === undefined
    this.#options.log.warn({ image, node: to }, `${to} asks for image ${image}, which no instance of it is made of`)
    return false
  }

  /** Resolves to why the node could not get it; undefined: it has it now. Never rejects. */
  bring(image: string, to: string): Promise<string | undefined> {
    const key = `${to} ${image}`
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const copy = this.#pullOrCopy(image, to)
      .catch((error: unknown) => messageOf(error))
      .finally(() => this.#running.delete(key))
    this.#running.set(key, copy)
    return copy
  }

  #isForInstanceOf(image: string, node: string): boolean {
    const { state } = this.#options
    return state.instances.byNode(node).some(({ app, release }) => state.releases.find(app, release)?.image === image)
  }

  async #pullOrCopy(image: string, to: string): Promise<string | undefined> {
    return (await this.#pull(image, to)) ? undefined : await this.#copyFromAny(image, to)
  }

  /** False: it has to be copied. */
  async #pull(image: string, to: string): Promise<boolean> {
    const { registry, log, signal } = this.#options
    if (registry === undefined || !(await registry.offers(image))) return false
    using slot = await this.#slots.acquire(to, () => [registryGiver], signal)
    if (slot === undefined) return false
    try {
      await registry.pull(image, to, { signal })
    } catch (error) {
      signal.throwIfAborted()
      log.warn({ err: error, image, to }, `${to} could not pull image ${image} from the registry: ${messageOf(error)}`)
      return false
    }
    log.info({ image, to }, `${to} pulled image ${image} from the registry`)
    this.holders.has(image, to)
    return true
  }

  async #copyFromAny(image: string, to: string): Promise<string | undefined> {
    const { log, signal } = this.#options
    const tried = new Set([to])
    let why = noSource
    for (;;) {
      using slot = await this.#slots.acquire(to, () => this.#sources(image, tried), signal)
      if (slot === undefined) break
      const { from } = slot
      tried.add(from)
      try {
        await this.#copy(image, from, to)
        log.info({ image, from, to }, `copied image ${image} from ${from} to ${to}`)
        return undefined
      } catch (error) {
        signal.throwIfAborted()
        log.warn({ err: error, image, from, to }, `copy image ${image} from ${from} to ${to}: ${messageOf(error)}`)
        if (error instanceof BerthError && error.code === 'engine.image-missing') this.holders.lacks(image, from)
        else why = messageOf(error)
        // No other source would change that.
        if (error instanceof BerthError && error.details.node === to) break
      }
    }
    log.error({ image, to }, `no connected node could give ${to} the image ${image}`)
    return why
  }

  async #copy(image: string, from: string, to: string): Promise<void> {
    const { copy, signal, stallMs } = this.#options
    const what = `copy image ${image} from ${from} to ${to}`
    using watched = watchCopy(what, [from, to], { paces: this.#paces, signal, limitMs: stallMs })
    try {
      await copy(image, from, to, { signal: watched.signal, pass: (chunks) => watched.pass(chunks) })
    } catch (error) {
      throw watched.signal.aborted ? watched.signal.reason : error
    }
    this.holders.has(image, to)
    this.#slots.look()
  }

  /** Those that have it for all that is known; only when none of them is left the others, which may have it from another release. */
  #sources(image: string, tried: ReadonlySet<string>): readonly string[] | undefined {
    const { state, isConnected } = this.#options
    const isOpen = (node: string): boolean => !tried.has(node) && isConnected(node)
    const holders = [...this.holders.of(image)].filter(isOpen)
    return holders.length > 0 ? holders : [...state.nodes.ids()].filter(isOpen)
  }
}
