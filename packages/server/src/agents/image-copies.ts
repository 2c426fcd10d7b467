import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { State } from '../records/index.ts'

export interface ImageCopiesOptions {
  readonly state: State
  readonly isConnected: (node: string) => boolean
  readonly copy: (image: string, from: string, to: string) => Promise<void>
  readonly log: Logger
}

/**
 * Brings an image to a node that misses it, from a node that has it. One copy at a time per node and image; an agent that still misses
 * it says so again.
 */
export class ImageCopies {
  readonly #options: ImageCopiesOptions
  readonly #running = new Map<string, Promise<boolean>>()

  constructor(options: ImageCopiesOptions) {
    this.#options = options
  }

  /**
   * True when the node has it now; false when no connected node could give it, or the node is not to run it: an image holds an app's
   * source, and a node gets none but those of its own instances. Never rejects.
   */
  bring(image: string, to: string): Promise<boolean> {
    if (!this.#isForInstanceOf(image, to)) {
      this.#options.log.warn({ image, node: to }, `${to} asks for image ${image}, which no instance of it is made of`)
      return Promise.resolve(false)
    }
    const key = `${to} ${image}`
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const copy = this.#copyFromAny(image, to).finally(() => this.#running.delete(key))
    this.#running.set(key, copy)
    return copy
  }

  #isForInstanceOf(image: string, node: string): boolean {
    const { state } = this.#options
    return state.instances.byNode(node).some(({ app, release }) => state.releases.find(app, release)?.image === image)
  }

  async #copyFromAny(image: string, to: string): Promise<boolean> {
    const { copy, log } = this.#options
    for (const from of this.#sources(image, to)) {
      try {
        await copy(image, from, to)
        log.info({ image, from, to }, `copied image ${image} from ${from} to ${to}`)
        return true
      } catch (error) {
        log.warn({ err: error, image, from, to }, `copy image ${image} from ${from} to ${to}: ${messageOf(error)}`)
      }
    }
    log.error({ image, to }, `no connected node could give ${to} the image ${image}`)
    return false
  }

  /** The node that built it, then those that run it, then the rest, which may have it from another release. */
  #sources(image: string, to: string): string[] {
    const { state, isConnected } = this.#options
    const releases = state.releases.all().filter((release) => release.image === image)
    const names = new Set<string>()
    for (const { build } of releases) {
      const node = build === undefined ? undefined : state.builds.get(build)?.node
      if (node !== undefined) names.add(node)
    }
    const running = new Set(releases.map((release) => `${release.app}/${release.id}`))
    for (const instance of state.instances.values())
      if (instance.node !== undefined && running.has(`${instance.app}/${instance.release}`)) names.add(instance.node)
    for (const node of state.nodes.ids()) names.add(node)
    names.delete(to)
    return [...names].filter(isConnected)
  }
}
