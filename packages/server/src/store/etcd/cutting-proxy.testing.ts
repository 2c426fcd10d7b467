import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * Stands between a client and a member, and can lose what the member says: the question arrives, the answer does not. That is what a member
 * that dies in the middle looks like.
 */
export class CuttingProxy implements AsyncDisposable {
  readonly address: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Drops what comes back, instead of passing it on. */
  mute = false
  /** Drops what goes there. */
  deaf = false

  private constructor(server: Server, address: string) {
    this.#server = server
    this.address = address
  }

  static async start(target: string): Promise<CuttingProxy> {
    const [host = '', port = ''] = target.split(':')
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new CuttingProxy(server, `127.0.0.1:${(server.address() as { port: number }).port}`)
    server.on('connection', (client) => proxy.#join(client, connect(Number(port), host)))
    return proxy
  }

  /** Ends all connections; new ones are let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.mute = false
    this.deaf = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await once(this.#server.close(), 'close')
  }

  #join(client: Socket, member: Socket): void {
    client.on('data', (data) => this.deaf || member.write(data))
    member.on('data', (data) => this.mute || client.write(data))
    for (const [socket, other] of [
      [client, member],
      [member, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
  }
}
