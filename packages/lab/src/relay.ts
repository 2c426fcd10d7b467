import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Gate, type LinePace, pump } from './relay-pump.ts'

export interface RelayOptions {
  readonly to: { readonly address: string; readonly port: number }
  /** Where it listens; for hosts of a lab its `serverAddress`. */
  readonly listen: string
  /** Default: some free one. */
  readonly port?: number
  /** What everything takes on its way, in each direction. Default: none. */
  readonly delayMs?: number
  /** Towards the target. Absent: as fast as it goes. */
  readonly bytesPerSecond?: number
  /** The connection is cut when so many bytes have gone to the target, of each of the first `cuts` connections. */
  readonly cutAfterBytes?: number
  /** Default: every one. */
  readonly cuts?: number
}

/**
 * `to`: what goes to the target is held back; `from`: what comes from it; `both`: neither side hears of the other any more, not even
 * that it has hung up: half-open connections, as behind a pulled cable. What is held back arrives when the line is mended.
 */
export type BlockedWay = 'none' | 'to' | 'from' | 'both'

/** A bad line to a port, for TCP: late, slow, cut half-way, cut in one direction, half-open. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  /** How many connections were cut by `cutAfterBytes`. */
  readonly cut: number
  /** Those that are there now. */
  readonly connections: number
  /** For what comes from now on. */
  setDelay(delayMs: number): void
  block(way: BlockedWay): void
  /** Ends all connections, as a firewall does that lost its table; new ones are let through. */
  cutAll(): void
}

export async function startRelay(options: RelayOptions): Promise<Relay> {
  const line = new Line(options)
  const server = createServer({ allowHalfOpen: true }, (near) => line.join(near))
  server.listen(options.port ?? 0, options.listen)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get cut() {
      return line.cut
    },
    get connections() {
      return line.pairs.size
    },
    setDelay: (delayMs) => {
      line.pace.delayMs = delayMs
    },
    block: (way) => line.block(way),
    cutAll: () => line.cutAll(),
    [Symbol.asyncDispose]: async () => {
      line.cutAll()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

/** What all connections of a relay share. */
class Line {
  cut = 0
  readonly pace: LinePace
  readonly pairs = new Set<() => void>()
  readonly #options: RelayOptions
  readonly #to = new Gate()
  readonly #from = new Gate()

  constructor(options: RelayOptions) {
    this.#options = options
    this.pace = { delayMs: options.delayMs ?? 0 }
  }

  block(way: BlockedWay): void {
    this.#to.isOpen = way === 'none' || way === 'from'
    this.#from.isOpen = way === 'none' || way === 'to'
  }

  cutAll(): void {
    for (const end of this.pairs) end()
  }

  join(near: Socket): void {
    const { to, cuts = Number.POSITIVE_INFINITY, cutAfterBytes, bytesPerSecond } = this.#options
    const far = connect({ host: to.address, port: to.port, allowHalfOpen: true })
    const over = new AbortController()
    const end = (): void => {
      over.abort()
      near.destroy()
      far.destroy()
      this.pairs.delete(end)
    }
    this.pairs.add(end)
    for (const socket of [near, far]) socket.setNoDelay(true).on('error', () => undefined)
    const limit = this.cut < cuts ? cutAfterBytes : undefined
    const forth = pump(near, far, this.#to, this.pace, over.signal, { bytesPerSecond, limit })
    const back = pump(far, near, this.#from, this.pace, over.signal)
    void forth.then((wasCut) => {
      if (!wasCut) return
      this.cut += 1
      end()
    })
    void Promise.all([forth, back]).then(end)
  }
}
