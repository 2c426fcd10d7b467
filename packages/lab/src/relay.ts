import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export interface RelayOptions {
  readonly to: { readonly address: string; readonly port: number }
  /** Where it listens; for hosts of a lab its `serverAddress`. */
  readonly listen: string
  /** Towards the target. Absent: as fast as it goes. */
  readonly bytesPerSecond?: number
  /** The connection is cut when so many bytes have gone to the target, of each of the first `cuts` connections. */
  readonly cutAfterBytes?: number
  /** Default: every one. */
  readonly cuts?: number
}

/** A bad line to a port: slow, or cut half-way. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  /** How many connections were cut. */
  readonly cut: number
}

export async function startRelay(options: RelayOptions): Promise<Relay> {
  const sockets = new Set<Socket>()
  let cut = 0
  const server = createServer((near) => {
    const far = connect({ host: options.to.address, port: options.to.port })
    const end = () => {
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket
        .once('close', () => sockets.delete(socket))
        .once('close', end)
        .on('error', end)
    }
    far.pipe(near)
    const limit = cut < (options.cuts ?? Number.POSITIVE_INFINITY) ? options.cutAfterBytes : undefined
    void forward(near, far, options.bytesPerSecond, limit).then((wasCut) => {
      if (wasCut) cut += 1
      end()
    }, end)
  })
  server.listen(0, options.listen)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get cut() {
      return cut
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

/** True when the connection is to be cut. */
async function forward(from: Socket, to: Socket, bytesPerSecond?: number, cutAfterBytes?: number): Promise<boolean> {
  let sent = 0
  for await (const chunk of from as AsyncIterable<Buffer>) {
    sent += chunk.length
    if (cutAfterBytes !== undefined && sent > cutAfterBytes) return true
    if (!to.write(chunk)) await Promise.race([once(to, 'drain'), once(to, 'close')])
    if (bytesPerSecond !== undefined) await delay((chunk.length / bytesPerSecond) * 1000)
  }
  return false
}
