import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { agentAlpn } from '@berth/api'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { normalFingerprint } from '../authority/certificate-checks.ts'
import type { KeyPairPem } from '../authority/certificate-factory.ts'
import { listening } from '../http/listeners.ts'
import type { State } from '../records/index.ts'
import { AgentLink } from './agent-link.ts'
import type { RefusedAgents } from './refused-agents.ts'

const handshakeMs = 10_000
/** How long a refusal may take to be read. */
const refusalMs = 2_000

export interface AgentPortOptions {
  readonly host: string
  readonly port: number
  readonly certificate: KeyPairPem
  readonly authorityPem: string
  readonly state: State
  readonly log: Logger
  /** Is told whom this port refuses. */
  readonly refused: RefusedAgents
  readonly onAgent: (node: string, socket: TLSSocket, certificate: X509Certificate) => void
}

/** The port that agents dial: mutual TLS, and only the very certificate that a node of this cluster was given. */
export class AgentPort implements AsyncDisposable {
  readonly #server: Server
  readonly #options: AgentPortOptions
  readonly #sockets = new Set<TLSSocket>()
  /** Where those come from that are not through with it. */
  readonly #handshakes = new Set<string>()

  constructor(options: AgentPortOptions) {
    this.#options = options
    this.#server = createServer({
      cert: options.certificate.certificatePem,
      key: options.certificate.keyPem,
      ca: options.authorityPem,
      requestCert: true,
      // Who is not authorized is refused in #refusal, where it can be said why.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [agentAlpn],
      handshakeTimeout: handshakeMs,
      noDelay: true,
      keepAlive: true,
    })
    this.#server.on('secureConnection', (socket) => this.#accept(socket))
    // A socket that failed does not know any more where it came from.
    this.#server.on('connection', (socket) => this.#watchHandshake(socket))
    this.#server.on('tlsClientError', (error) =>
      options.log.debug({ reason: messageOf(error) }, 'a handshake at the agent port failed'),
    )
  }

  async listen(): Promise<number> {
    const { host, port } = this.#options
    this.#server.listen(port, host)
    await listening(this.#server, `${host}:${port}`)
    return (this.#server.address() as AddressInfo).port
  }

  /** For connections from now on. */
  renew(certificate: KeyPairPem, authorityPem: string): void {
    this.#server.setSecureContext({
      cert: certificate.certificatePem,
      key: certificate.keyPem,
      ca: authorityPem,
      minVersion: 'TLSv1.3',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** Whoever ends the connection as soon as it has seen the certificate does not trust it, or only looked whether somebody listens. */
  #watchHandshake(socket: Socket): void {
    const from = placeOf(socket)
    this.#handshakes.add(from)
    socket.once('close', () => {
      if (!this.#handshakes.delete(from)) return
      const { refused, log } = this.#options
      const remote = addressIn(from)
      const [isNews] = placesOf(remote).map((place) => refused.note(place, distrust, performance.now()))
      log[isNews ? 'warn' : 'debug']({ remote }, `a connection to the agent port ended in its handshake: ${distrust}`)
    })
  }

  #accept(socket: TLSSocket): void {
    const { log, onAgent } = this.#options
    this.#handshakes.delete(placeOf(socket))
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', (error) =>
      log.debug({ err: error, remote: socket.remoteAddress }, 'a socket of an agent failed'),
    )
    const certificate = socket.getPeerX509Certificate()
    const name = nameIn(certificate)
    const refusal = this.#refusal(socket, name, certificate)
    if (refusal === undefined && certificate !== undefined) {
      onAgent(name, socket, certificate)
      return
    }
    this.#refuse(socket, name, refusal ?? 'it showed no certificate')
  }

  /** A node of this cluster is told why: its agent writes that into the log of its machine. To anybody else nothing is said. */
  #refuse(socket: TLSSocket, name: string, why: string): void {
    const from = socket.remoteAddress
    const isNews = this.#options.refused.note(name === '' ? `somebody at ${from}` : name, why, performance.now())
    this.#options.log[isNews ? 'warn' : 'debug']({ remote: from, node: name }, `refused an agent: ${why}`)
    if (!socket.authorized || socket.alpnProtocol !== agentAlpn) socket.destroy()
    else {
      new AgentLink(name, socket).close(why)
      // Whoever does not read it is not waited for.
      setTimeout(() => socket.destroy(), refusalMs).unref()
    }
  }

  #refusal(socket: TLSSocket, name: string, certificate: X509Certificate | undefined): string | undefined {
    if (!socket.authorized) return unauthorized(name, certificate, String(socket.authorizationError))
    if (socket.alpnProtocol !== agentAlpn) return `it does not speak ${agentAlpn}`
    const node = this.#options.state.nodes.get(name)
    if (node === undefined)
      return `there is no node ${JSON.stringify(name)}; it was removed or belongs to another store. If it was removed (berth node rm): take Berth off its machine (berth down --all --purge), and to join anew remove agent/node.json of its state directory after that`
    const fingerprint = normalFingerprint(certificate?.fingerprint256 ?? '')
    if (fingerprint === node.certificateFingerprint || fingerprint === node.nextCertificateFingerprint) return undefined
    return `its certificate is not the one that node ${name} was given last: another machine has joined by this name, or its disk is an older copy. Join it anew, by a name of its own if there are two`
  }
}

const distrust =
  'what connects from its address ends the connection when it sees this server’s certificate. An agent does so where the server has other keys than the one that the machine has joined (bring server/authority/ back: docs/operations.md, Restore; or join the machine anew), and where its clock is far off. Its log says which'

/** `10.0.0.5 40112`; one of IPv4 is written as that also where the port listens for both. */
const placeOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string =>
  `${remoteAddress.replace(/^::ffff:/, '')} ${remotePort}`

/** The agent of the server's own machine comes by the loopback, and its node is known by an address of the machine. */
function placesOf(remote: string): string[] {
  if (remote !== '::1' && !remote.startsWith('127.')) return [remote]
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return [remote, ...own.map(({ address }) => address)]
}

const addressIn = (place: string): string => place.slice(0, place.indexOf(' '))

/** The common name; the authority signs no request whose name is not the node's. */
const nameIn = (certificate: X509Certificate | undefined): string =>
  /^CN=(.+)$/m.exec(certificate?.subject ?? '')?.[1] ?? ''

function unauthorized(name: string, certificate: X509Certificate | undefined, code: string): string {
  if (certificate === undefined) return 'it showed no certificate'
  if (code === 'CERT_HAS_EXPIRED')
    return `the certificate of node ${name} ended at ${certificate.validTo}; remove the node and let it join anew`
  if (code === 'CERT_NOT_YET_VALID')
    return `the certificate of node ${name} is not good before ${certificate.validFrom}: this server's clock is behind`
  if (code === 'INVALID_PURPOSE') return 'its certificate is not one for nodes'
  return `its certificate was signed by another cluster’s authority (${code}): this server has other keys than the one that the machine has joined. If it was set up or restored without them, bring server/authority/ back (docs/operations.md, Restore); else join the machine to this cluster`
}
