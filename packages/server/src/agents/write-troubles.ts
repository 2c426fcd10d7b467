import { messageOf } from '@berth/core'
import type { Logger } from 'pino'

export interface WriteTroublesOptions {
  readonly log: Logger
  readonly now: () => number
  /** Between two words on a trouble that lasts. */
  readonly repeatMs?: number
}

/**
 * Says of which nodes the state cannot be written: of each when it begins, of all together again and again as long as it lasts, and when
 * the last of them is written.
 */
export class WriteTroubles {
  readonly #options: WriteTroublesOptions
  readonly #repeatMs: number
  readonly #nodes = new Set<string>()
  #since = 0
  #saidAt = 0

  constructor(options: WriteTroublesOptions) {
    this.#options = options
    this.#repeatMs = options.repeatMs ?? 60_000
  }

  failed(node: string, error: unknown): void {
    const { log } = this.#options
    const now = this.#options.now()
    if (this.#nodes.size === 0) {
      this.#since = now
      this.#saidAt = now
    }
    if (!this.#nodes.has(node)) {
      this.#nodes.add(node)
      log.error(
        { err: error, node },
        `write the state of node ${node}: ${messageOf(error)}; it is tried until it works`,
      )
      return
    }
    if (now - this.#saidAt < this.#repeatMs) return
    this.#saidAt = now
    const seconds = Math.round((now - this.#since) / 1000)
    const what = `write the state of ${this.#whose}, tried for ${seconds} s`
    log.error({ err: error, ...this.#summary }, `${what}: ${messageOf(error)}`)
  }

  written(node: string): void {
    if (!this.#nodes.delete(node) || this.#nodes.size > 0) return
    const lastedMs = this.#options.now() - this.#since
    this.#options.log.info({ lastedMs }, `the state of nodes is written again, after ${Math.round(lastedMs / 1000)} s`)
  }

  get #summary(): { readonly nodes: readonly string[]; readonly count: number } {
    return { nodes: [...this.#nodes].slice(0, 3), count: this.#nodes.size }
  }

  get #whose(): string {
    const { nodes, count } = this.#summary
    const others = count - nodes.length
    return `${count === 1 ? 'node' : 'nodes'} ${nodes.join(', ')}${others === 0 ? '' : ` and ${others} others`}`
  }
}
