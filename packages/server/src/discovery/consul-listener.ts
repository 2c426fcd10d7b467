import { once } from 'node:events'
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { KeyPairPem } from '../authority/certificate-factory.ts'
import type { ListenAddress } from '../http/listen-address.ts'
import { listening } from '../http/listeners.ts'

/** Each waiting call holds one. */
const maxConnections = 20_000
/** How long one without a call stays open. */
const keepAliveMs = 75_000
const drainMs = 1_000

type Handle = (request: IncomingMessage, response: ServerResponse) => void

/** Where programs made for Consul call: in clear, by TLS, or both. */
export class ConsulListener implements AsyncDisposable {
  readonly #handle: Handle
  readonly #servers: (HttpServer | HttpsServer)[] = []
  #tls: HttpsServer | undefined

  constructor(handle: Handle) {
    this.#handle = handle
  }

  /** Gives the port. Throws `server.cannot-listen`. */
  async listen(address: ListenAddress): Promise<number> {
    return await this.#open(createServer(), address)
  }

  async listenTls(address: ListenAddress, { certificatePem, keyPem }: KeyPairPem): Promise<number> {
    this.#tls = createTlsServer({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' })
    return await this.#open(this.#tls, address)
  }

  renewTls({ certificatePem, keyPem }: KeyPairPem): void {
    this.#tls?.setSecureContext({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' })
  }

  async #open(server: HttpServer | HttpsServer, { host, port }: ListenAddress): Promise<number> {
    server.on('request', this.#handle)
    server.maxConnections = maxConnections
    server.keepAliveTimeout = keepAliveMs
    server.listen({ host, port, backlog: 4_096 })
    await listening(server, `${host}:${port}`)
    this.#servers.push(server)
    return (server.address() as AddressInfo).port
  }

  /** Waiting calls have been answered by then. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.all(this.#servers.map((server) => once(server, 'close')))
    for (const server of this.#servers) {
      server.close()
      server.closeIdleConnections()
    }
    await Promise.race([closed, delay(drainMs, undefined, { ref: false })])
    for (const server of this.#servers) server.closeAllConnections()
    await Promise.race([closed, delay(drainMs, undefined, { ref: false })])
  }
}
