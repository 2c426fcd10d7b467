import type { BuildRequest } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import type { KeyedLock } from '../source/keyed-lock.ts'
import { redactUrls } from '../source/repository-location.ts'
import type { BuildAgents } from './build-ports.ts'
import type { OutputWriter } from './output-writer.ts'

export interface BuildSessionOptions {
  readonly id: string
  readonly app: string
  readonly node: string
  readonly noReuse: boolean
  /** What the label `berth.builder` says. */
  readonly builder: string
  readonly agents: BuildAgents
  readonly output: OutputWriter
  /** By node and tag; shared by all sessions. */
  readonly levelLocks: KeyedLock
  readonly signal: AbortSignal
}

/** One build on the node that was chosen for it: whatever it asks of the agent, and what it says to its readers. */
export class BuildSession {
  readonly id: string
  readonly app: string
  readonly node: string
  readonly noReuse: boolean
  readonly builder: string
  readonly levelLocks: KeyedLock
  readonly signal: AbortSignal
  readonly #agents: BuildAgents
  readonly #output: OutputWriter

  constructor(options: BuildSessionOptions) {
    this.id = options.id
    this.app = options.app
    this.node = options.node
    this.noReuse = options.noReuse
    this.builder = options.builder
    this.levelLocks = options.levelLocks
    this.signal = options.signal
    this.#agents = options.agents
    this.#output = options.output
  }

  /** A line of Berth's own in the build's output. */
  async say(line: string): Promise<void> {
    await this.#output.write({ at: Date.now(), stream: 'system', line: redactUrls(line) })
  }

  /** Throws `build.base-not-found` for an image that is nowhere; `what` says what it is for. */
  async resolveImage(image: string, what: string): Promise<string> {
    const options = { signal: this.signal, refresh: this.noReuse }
    try {
      return await this.#agents.resolveImage(this.node, image, options)
    } catch (error) {
      const isMissing = error instanceof BerthError && /^(engine\.image|image\.|engine\.not-found)/.test(error.code)
      if (!isMissing) throw error
      const { retryable } = error
      const message = `${what} ${image} is not on node ${this.node} and cannot be pulled: ${messageOf(error)}`
      throw new BerthError('build.base-not-found', message, { retryable, cause: error })
    }
  }

  imageExists(image: string): Promise<boolean> {
    return this.#agents.imageExists(this.node, image, { signal: this.signal })
  }

  /** Id of the built image. Throws what the agent says, with the last lines in its details. */
  async build(request: BuildRequest, context: AsyncIterable<Uint8Array>): Promise<string> {
    const { signal } = this
    for await (const event of this.#agents.build(this.node, request, context, { signal })) {
      if (event.type === 'done') return event.image
      if (event.type === 'failed') throw this.#failure(event.code, event.message)
      const line = event.line.includes('://') ? redactUrls(event.line) : event.line
      await this.#output.write({ at: event.at, stream: 'stdout', line })
    }
    signal.throwIfAborted()
    throw this.#failure('build.interrupted', `the build on node ${this.node} ended without a result; build again`)
  }

  #failure(code: string, message: string): BerthError {
    const details = { node: this.node, logTail: [...this.#output.lastLines] }
    return new BerthError(code, redactUrls(message), { details, retryable: code === 'build.interrupted' })
  }
}
