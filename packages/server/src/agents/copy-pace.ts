import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'

/** Nothing of it has moved for so long: it hangs. */
const stallMs = 120_000

/** When a node may move its next bytes, all copies from and to it together. */
export class NodePaces {
  readonly #rateOf: (node: string) => number | undefined
  readonly #now: () => number
  readonly #free = new Map<string, number>()

  constructor(rateOf: (node: string) => number | undefined, now: () => number = () => performance.now()) {
    this.#rateOf = rateOf
    this.#now = now
  }

  /** How long to wait before so many bytes go from one to the other. They count as moved. */
  waitMs(nodes: readonly string[], bytes: number): number {
    const now = this.#now()
    return nodes.reduce((most, node) => Math.max(most, this.#spend(node, bytes, now) - now), 0)
  }

  #spend(node: string, bytes: number, now: number): number {
    const rate = this.#rateOf(node)
    if (rate === undefined) {
      this.#free.delete(node)
      return now
    }
    const from = Math.max(now, this.#free.get(node) ?? 0)
    this.#free.set(node, from + (bytes * 1000) / rate)
    return from
  }
}

export interface WatchedCopy extends Disposable {
  /** Aborts when nothing has moved for two minutes, or the copy is given up. */
  readonly signal: AbortSignal
  /** At the pace of both nodes. */
  pass(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>
}

/** A copy that goes no faster than its nodes allow, and does not hang for ever. */
export function watchCopy(
  what: string,
  nodes: readonly string[],
  { paces, signal, limitMs = stallMs }: { paces: NodePaces; signal: AbortSignal; limitMs?: number | undefined },
): WatchedCopy {
  const stalled = new AbortController()
  const both = AbortSignal.any([signal, stalled.signal])
  const timer = setTimeout(() => {
    const message = `${what}: nothing has moved for ${limitMs / 1000} s; look at Docker and the disk of ${nodes.join(' and ')}`
    stalled.abort(new BerthError('image.copy-stalled', message, { retryable: true }))
  }, limitMs)
  timer.unref()
  return {
    signal: both,
    async *pass(chunks) {
      for await (const chunk of chunks) {
        timer.refresh()
        const waitMs = paces.waitMs(nodes, chunk.length)
        if (waitMs > 1) {
          await delay(waitMs, undefined, { signal: both })
          timer.refresh()
        }
        yield chunk
      }
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}
