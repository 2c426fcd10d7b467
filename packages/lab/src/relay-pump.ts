import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export interface LinePace {
  delayMs: number
}

export interface PumpLimits {
  readonly bytesPerSecond?: number | undefined
  /** Bytes after which the line is cut. */
  readonly limit?: number | undefined
}

/** One direction of a line: nothing passes while it is shut. */
export class Gate {
  #isOpen = true
  #opened = Promise.withResolvers<void>()

  get isOpen(): boolean {
    return this.#isOpen
  }

  set isOpen(isOpen: boolean) {
    if (this.#isOpen === isOpen) return
    this.#isOpen = isOpen
    if (isOpen) this.#opened.resolve()
    else this.#opened = Promise.withResolvers<void>()
  }

  async pass(signal: AbortSignal): Promise<void> {
    while (!this.#isOpen && !signal.aborted) await Promise.race([this.#opened.promise, aborted(signal)])
  }
}

/** On its way at a time: beyond this the sender waits, as for a full window. */
const maxChunksOnTheWay = 256

/**
 * Carries what one side says to the other, and its end, each chunk as late as the line is. True when the line is to be cut, since the limit
 * is reached.
 */
export async function pump(
  from: Socket,
  to: Socket,
  gate: Gate,
  pace: LinePace,
  signal: AbortSignal,
  { bytesPerSecond, limit = Number.POSITIVE_INFINITY }: PumpLimits = {},
): Promise<boolean> {
  let carried = Promise.resolve()
  let sent = 0
  let onTheWay = 0
  const carry = (act: () => Promise<void> | void): Promise<void> => {
    const dueAt = performance.now() + pace.delayMs
    onTheWay += 1
    carried = carried.then(async () => {
      await sleep(dueAt - performance.now(), signal)
      await gate.pass(signal)
      if (!signal.aborted) await act()
      onTheWay -= 1
    })
    return carried
  }
  let hasFailed = false
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      sent += chunk.length
      if (sent > limit) return true
      const written = carry(() => write(to, chunk, signal))
      if (onTheWay >= maxChunksOnTheWay || !gate.isOpen) await written
      if (bytesPerSecond !== undefined) await sleep((chunk.length / bytesPerSecond) * 1000, signal)
    }
  } catch {
    hasFailed = true
  }
  // That it has hung up is told on the same way.
  await carry(() => void (hasFailed ? to.destroy() : to.end()))
  return false
}

async function write(to: Socket, chunk: Buffer, signal: AbortSignal): Promise<void> {
  if (to.destroyed || to.write(chunk)) return
  await Promise.race([once(to, 'drain'), once(to, 'close'), aborted(signal)]).catch(() => undefined)
}

const sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
