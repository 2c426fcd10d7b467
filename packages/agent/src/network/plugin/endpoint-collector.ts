import type { Logger } from 'pino'
import type { Endpoints } from './endpoints.ts'

export interface EndpointCollectorParts {
  readonly endpoints: Pick<Endpoints, 'leftBehind' | 'discard'>
  readonly now: () => number
  readonly log: Logger
}

/** A container that is ending gives its link back a moment before its endpoint goes. */
const leftForMs = 30_000

/**
 * Compares what this node holds for containers with the containers' ends of their links, and takes away what nobody has: after a death of
 * dockerd between two calls, or when it could not reach netd as a container went.
 */
export class EndpointCollector {
  readonly #parts: EndpointCollectorParts
  /** Since when each was seen to be nobody's. */
  #left = new Map<string, number>()

  constructor(parts: EndpointCollectorParts) {
    this.#parts = parts
  }

  async collect(): Promise<void> {
    const { endpoints, now, log } = this.#parts
    const seen = await endpoints.leftBehind()
    this.#left = new Map(seen.map((address) => [address, this.#left.get(address) ?? now()]))
    for (const [address, since] of this.#left) {
      if (now() - since < leftForMs) continue
      this.#left.delete(address)
      if (await endpoints.discard(address)) log.info({ address }, 'took away what a container had left behind')
    }
  }
}
