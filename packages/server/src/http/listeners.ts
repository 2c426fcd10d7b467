import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, messageOf } from '@berth/core'
import type { FastifyInstance } from 'fastify'
import { serverName } from '../authority/authority.ts'
import type { KeyPairPem } from '../authority/certificate-factory.ts'
import type { ListenAddress } from './listen-address.ts'

/** How long calls under way may take to end once the server stops. */
const drainMs = 3_000
/** An upload of a large repository may take this long. */
const requestTimeoutMs = 1_800_000

/** How long a caller may take to prove nothing at all. */
const handshakeMs = 10_000
/** A console's tabs share a connection, with some ten watches each. */
const maxConcurrentStreams = 250
const idleSessionMs = 120_000
/** Bounds what strangers can hold; each open one costs a file and some ten kilobytes. */
const maxConnections = 10_000

/**
 * Where the API is reached: the unix socket, always, and TLS, when asked for. There is no listener without one of the two, so nothing
 * is ever served in clear to more than this machine's owner.
 */
export class Listeners implements AsyncDisposable {
  readonly #app: FastifyInstance
  readonly #local: WeakSet<Socket>
  readonly #servers: AnyServer[] = []
  readonly #sessions = new Set<Http2Session>()
  #tls: Http2SecureServer | undefined
  #hasOperatorCertificate = false

  /** `local` is told which connections came by the unix socket. */
  constructor(app: FastifyInstance, local: WeakSet<Socket>) {
    this.#app = app
    this.#local = local
  }

  /** Throws `server.already-running` when somebody answers there; a socket that a killed server left is replaced. */
  async listenLocal(path: string): Promise<void> {
    if (await answers(path)) {
      throw new BerthError('server.already-running', `listen at ${path}: a server runs there already; stop it first`)
    }
    await rm(path, { force: true })
    const server = this.#prepare(createServer())
    server.on('connection', (socket) => this.#local.add(socket))
    // The file must never exist with a wider mode, not even for a moment.
    const mask = process.umask(0o177)
    try {
      server.listen(path)
    } finally {
      process.umask(mask)
    }
    await listening(server, path)
    await chmod(path, 0o600)
  }

  /**
   * Gives the port, which matters when 0 was asked for. HTTP/2 for browsers, which keep a console's many watches on one connection
   * then; HTTP/1.1 for everybody else, and for WebSockets. With a certificate of the operator's, the cluster's own is shown to those who
   * ask for `berth-server`: machines that join know its authority only.
   */
  async listenTls(address: ListenAddress, cluster: KeyPairPem, operator?: KeyPairPem): Promise<number> {
    const server = this.#prepare(
      createSecureServer({
        ...contextOf(operator ?? cluster),
        allowHTTP1: true,
        handshakeTimeout: handshakeMs,
        settings: { maxConcurrentStreams },
      }),
    )
    server.maxConnections = maxConnections
    this.#hasOperatorCertificate = operator !== undefined
    if (operator !== undefined) server.addContext(serverName, contextOf(cluster))
    server.on('session', (session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
      // One with nothing to say, not even the beat of a watch, is let go; a client opens another when it needs it.
      session.setTimeout(idleSessionMs, () => session.close())
    })
    this.#tls = server
    server.listen(address.port, address.host)
    await listening(server, `${address.host}:${address.port}`)
    return (server.address() as AddressInfo).port
  }

  /** Shows a renewed certificate of the cluster's to connections from now on. */
  renewTls(cluster: KeyPairPem): void {
    // Of several contexts of one name the one added last counts.
    if (this.#hasOperatorCertificate) this.#tls?.addContext(serverName, contextOf(cluster))
    else this.#tls?.setSecureContext(contextOf(cluster))
  }

  /** Shows another certificate of the operator's from now on. Throws when it does not fit its key. */
  renewOperator(operator: KeyPairPem): void {
    this.#tls?.setSecureContext(contextOf(operator))
  }

  /** Takes no more calls, lets those under way end, then cuts what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.#servers.filter((server) => server.listening)
    const closed = Promise.all(open.map((server) => once(server, 'close')))
    for (const server of open) server.close()
    for (const session of this.#sessions) session.close()
    const timeUp = new AbortController()
    await Promise.race([closed, delay(drainMs, undefined, { signal: timeUp.signal }).catch(() => undefined)])
    timeUp.abort()
    for (const session of this.#sessions) session.destroy()
    for (const server of open) server.closeAllConnections?.()
    await this.#app.close()
    await Promise.race([closed, delay(drainMs, undefined, { ref: false })])
  }

  #prepare<S extends AnyServer>(server: S): S {
    this.#servers.push(server)
    server.requestTimeout = requestTimeoutMs
    // The framework answers requests of both protocols alike, whatever their types say.
    server.on('request', (request: unknown, response: unknown) =>
      this.#app.routing(request as IncomingMessage, response as ServerResponse),
    )
    // The WebSocket plugin listens on the framework's own server, which itself listens nowhere.
    server.on('upgrade', (request, socket, head) => this.#app.server.emit('upgrade', request, socket, head))
    return server
  }
}

/** With HTTP/1.1 allowed, an HTTP/2 server has its timeouts and connections as well; its types do not know. */
type AnyServer = Server & Partial<Pick<HttpServer, 'requestTimeout' | 'closeAllConnections'>>

const contextOf = (pair: KeyPairPem) => ({
  cert: pair.certificatePem,
  key: pair.keyPem,
  minVersion: 'TLSv1.2' as const,
})

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Throws `server.cannot-listen`. */
export async function listening(server: Server, where: string): Promise<void> {
  try {
    await once(server, 'listening')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const reason =
      code === 'EADDRINUSE' ? 'another program listens there; stop it or choose another port' : messageOf(cause)
    throw new BerthError('server.cannot-listen', `listen at ${where}: ${reason}`, { cause })
  }
}
