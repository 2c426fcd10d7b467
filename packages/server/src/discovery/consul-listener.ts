import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { KeyPairPem } from '../authority/certificate-factory.ts'
import type { ListenAddress } from '../http/listen-address.ts'
import { listening } from '../http/listeners.ts'
import { askedBy, type Handle, HttpReply } from './consul-exchange.ts'
import { PlainConnections } from './plain-connections.ts'

/** Each waiting call holds one. */
const maxConnections = 20_000
/** How long one without a call stays open. */
const keepAliveMs = 75_000
const drainMs = 1_000

/** Where programs made for Consul call: in clear, by TLS, or both. */
export class ConsulListener implements AsyncDisposable {
  readonly #handle: Handle
  readonly #servers: (HttpServer | HttpsServer)[] = []
  readonly #plain: PlainConnections
  #tls: HttpsServer | undefined

  /** `tellingSince` as {@link PlainConnections} want it. */
  constructor(handle: Handle, tellingSince?: () => number | undefined) {
    this.#handle = handle
    this.#plain = new PlainConnections({ handle, keepAliveMs, ...(tellingSince === undefined ? {} : { tellingSince }) })
  }

  /** Gives the port. Throws `server.cannot-listen`. */
  async listen(address: ListenAddress): Promise<number> {
    return await this.#open(createServer(), 'connection', address)
  }

  async listenTls(address: ListenAddress, { certificatePem, keyPem }: KeyPairPem): Promise<number> {
    this.#tls = createTlsServer({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' })
    return await this.#open(this.#tls, 'secureConnection', address)
  }

  renewTls({ certificatePem, keyPem }: KeyPairPem): void {
    this.#tls?.setSecureContext({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' })
  }

  async #open(
    server: HttpServer | HttpsServer,
    connected: 'connection' | 'secureConnection',
    { host, port }: ListenAddress,
  ): Promise<number> {
    server.on('request', (request, response) => this.#handle(askedBy(request), new HttpReply(request, response)))
    // What node:http does with a connection comes after what is done here, if at all.
    const toHttp = server.listeners(connected)
    server.removeAllListeners(connected)
    server.on(connected, (socket: Socket) =>
      this.#plain.take(socket, () => {
        for (const listener of toHttp) listener.call(server, socket)
      }),
    )
    server.maxConnections = maxConnections
    server.keepAliveTimeout = keepAliveMs
    server.listen({ host, port, backlog: 4_096 })
    await listening(server, `${host}:${port}`)
    this.#servers.push(server)
    return (server.address() as AddressInfo).port
  }

  /** Connections on which only plain questions have come so far. */
  get plain(): number {
    return this.#plain.size
  }

  /** Waiting calls have been answered by then. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.all(this.#servers.map((server) => once(server, 'close')))
    for (const server of this.#servers) {
      server.close()
      server.closeIdleConnections()
    }
    this.#plain.closeIdle(0)
    await Promise.race([closed, delay(drainMs, undefined, { ref: false })])
    for (const server of this.#servers) server.closeAllConnections()
    this.#plain[Symbol.dispose]()
    await Promise.race([closed, delay(drainMs, undefined, { ref: false })])
  }
}
