import type { RegistryTransfer } from '@berth/api'
import { type MissingImage, messageOf, missingImages, placeText, type RegistryPlace } from '@berth/core'
import type { Logger } from 'pino'
import type { RegistryHome, State } from '../records/index.ts'
import type { RegistryAgents } from './registry-agents.ts'

export interface RegistryPushesOptions {
  readonly state: State
  readonly agents: Pick<RegistryAgents, 'push' | 'holdersOf' | 'isConnected'>
  readonly log: Logger
  readonly now: () => number
  readonly transferFor: (place: RegistryPlace, image: string, home: RegistryHome) => RegistryTransfer
  readonly onPushed: (place: RegistryPlace) => void
}

interface Failure {
  readonly count: number
  readonly retryAt: number
}

const atOnce = 2
const pushMs = 3_600_000
const firstPauseMs = 15_000
const maxPauseMs = 900_000

/** Images on their way from nodes that have them into the registry: two at a time, those of the newest releases first. */
export class RegistryPushes implements AsyncDisposable {
  readonly #options: RegistryPushesOptions
  readonly #running = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, Failure>()
  readonly #closing = new AbortController()
  #home = new AbortController()

  constructor(options: RegistryPushesOptions) {
    this.#options = options
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.idle()
  }

  /** Resolves when nothing is being pushed. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  /** The registry is somewhere else: what is on its way to the old place is given up. */
  drop(): void {
    this.#home.abort()
    this.#home = new AbortController()
    this.forgive()
  }

  /** What has failed is tried at once. */
  forgive(): void {
    this.#failures.clear()
  }

  /** Settles when it has been pushed, or could not be; undefined: it is not being pushed. Never rejects. */
  underWay(place: RegistryPlace): Promise<void> | undefined {
    return this.#running.get(placeText(place))
  }

  /** Begins to push what the registry misses, as far as there is a node that has it. */
  start(home: RegistryHome, contents: ReadonlySet<string>): void {
    if (this.#closing.signal.aborted) return
    for (const missing of missingImages(this.#options.state.releases.all(), contents)) {
      if (this.#running.size >= atOnce) return
      const name = placeText(missing)
      if (this.#running.has(name) || this.#options.now() < (this.#failures.get(name)?.retryAt ?? 0)) continue
      const from = this.#holder(missing.image, home)
      if (from === undefined) continue
      const push = Promise.resolve().then(() => this.#push(missing, from, home))
      this.#running.set(name, push)
    }
  }

  /** The registry's own node, if it has it: nothing has to cross the network then. */
  #holder(image: string, home: RegistryHome): string | undefined {
    const { agents } = this.#options
    const holders = [...agents.holdersOf(image)].filter((node) => agents.isConnected(node))
    return holders.includes(home.node) ? home.node : holders[0]
  }

  async #push(missing: MissingImage, from: string, home: RegistryHome): Promise<void> {
    const { agents, log, transferFor, onPushed } = this.#options
    const name = placeText(missing)
    const given = AbortSignal.any([this.#closing.signal, this.#home.signal])
    const signal = AbortSignal.any([given, AbortSignal.timeout(pushMs)])
    let isDone = false
    try {
      await agents.push(from, transferFor(missing, missing.image, home), { signal })
      isDone = true
      log.info({ image: missing.image, from, name }, `pushed image ${name} from ${from} to the registry`)
      this.#failures.delete(name)
    } catch (error) {
      if (!given.aborted) this.#failed(name, from, error)
    } finally {
      this.#running.delete(name)
    }
    if (isDone) onPushed(missing)
  }

  /** It is tried again by itself, at longer and longer pauses; until then nodes copy it from one another. */
  #failed(name: string, from: string, error: unknown): void {
    const count = (this.#failures.get(name)?.count ?? 0) + 1
    const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** (count - 1))
    this.#failures.set(name, { count, retryAt: this.#options.now() + pauseMs })
    this.#options.log.warn({ err: error, from, name }, `push image ${name} from ${from}: ${messageOf(error)}`)
  }
}
