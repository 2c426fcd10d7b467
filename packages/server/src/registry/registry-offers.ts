import { setTimeout as delay } from 'node:timers/promises'
import type { RegistryTransfer } from '@berth/api'
import { BerthError, messageOf, placeText, type RegistryPlace, registryPlace } from '@berth/core'
import type { ImageOffers } from '../agents/image-copies.ts'
import type { RegistryHome, State } from '../records/index.ts'
import { registryHome } from './cluster-registry.ts'
import type { RegistryAgents } from './registry-agents.ts'

export interface RegistryOffersOptions {
  readonly state: State
  readonly agents: Pick<RegistryAgents, 'pull' | 'isConnected'>
  readonly now: () => number
  readonly transferFor: (place: RegistryPlace, image: string, home: RegistryHome) => RegistryTransfer
  /** Settles when it has been pushed, or could not be; undefined: it is not being pushed. */
  readonly pushing: (place: RegistryPlace) => Promise<void> | undefined
  /** It could not be pulled from, or something is not as was thought. */
  readonly onDoubt: () => void
  /** How long a node waits for an image that is being pushed, before it is copied from another node. */
  readonly pushWaitMs: number
  /** How long nobody is sent to a registry that could not be pulled from. */
  readonly restMs: number
}

const pullMs = 3_600_000

/** What nodes can pull from the cluster's registry now, for all that is known. */
export class RegistryOffers implements ImageOffers {
  readonly #options: RegistryOffersOptions
  #contents: Set<string> | undefined
  #restUntil = 0

  constructor(options: RegistryOffersOptions) {
    this.#options = options
  }

  /** Names of what it has; undefined: it does not serve. */
  get contents(): ReadonlySet<string> | undefined {
    return this.#contents
  }

  /** As it says itself. */
  found(places: readonly RegistryPlace[] | undefined): void {
    this.#contents = places === undefined ? undefined : new Set(places.map(placeText))
  }

  pushed(place: RegistryPlace): void {
    this.#contents?.add(placeText(place))
  }

  get serves(): boolean {
    const home = registryHome(this.#options.state)
    if (home === undefined || !this.#options.agents.isConnected(home.node)) return false
    return this.#contents !== undefined && this.#options.now() >= this.#restUntil
  }

  async offers(image: string): Promise<boolean> {
    const place = this.#placeOf(image)
    if (place === undefined || !this.serves) return false
    const { pushing, pushWaitMs } = this.#options
    const push = pushing(place)
    if (push !== undefined) await Promise.race([push, delay(pushWaitMs, undefined, { ref: false })])
    return this.serves && this.#contents?.has(placeText(place)) === true
  }

  async pull(image: string, to: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { state, agents, transferFor } = this.#options
    const [place, home] = [this.#placeOf(image), registryHome(state)]
    if (place === undefined || home === undefined) throw gone()
    const limited = AbortSignal.any([signal, AbortSignal.timeout(pullMs)])
    try {
      await agents.pull(to, transferFor(place, image, home), { signal: limited })
    } catch (error) {
      if (isOfRegistry(error)) this.#doubt(place, error)
      throw error
    }
  }

  /** It is down, or does not have what it should: nobody is sent there for a while, and it is looked at. */
  #doubt(place: RegistryPlace, error: unknown): void {
    const isMissing = /manifest (for .*)?(unknown|not found)|blob unknown/.test(messageOf(error))
    if (isMissing || (error instanceof BerthError && error.code === 'registry.other-image'))
      this.#contents?.delete(placeText(place))
    else this.#restUntil = this.#options.now() + this.#options.restMs
    this.#options.onDoubt()
  }

  /** Undefined: no release is made of it. */
  #placeOf(image: string): RegistryPlace | undefined {
    for (const release of this.#options.state.releases.values())
      if (release.image === image) return registryPlace(release)
    return undefined
  }
}

/** What a full disk of the node, its Docker, or an agent that knows no registry is to blame for says nothing about the registry. */
const isOfRegistry = (error: unknown): boolean => !(error instanceof BerthError) || !nodesOwn.has(error.code)
const nodesOwn = new Set(['engine.disk-full', 'engine.unreachable', 'node.offline', 'request.not-found'])

const gone = (): BerthError =>
  new BerthError('registry.none', 'the registry has just been stopped', { retryable: true })
