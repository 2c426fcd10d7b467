import { connect, type TLSSocket } from 'node:tls'
import { agentAlpn } from '@berth/api'

/** Every server's certificate has this name, whatever address it is reached at. */
const serverName = 'berth-server'
const dialTimeoutMs = 30_000

export interface NodeCredentials {
  readonly name: string
  readonly keyPem: string
  readonly certificatePem: string
  readonly authorityPem: string
}

export interface AgentPortAddress {
  readonly host: string
  readonly port: number
}

/**
 * Opens agents' connections, so many handshakes at a time: one is a millisecond of computing on each side, and thousands at once only
 * make each other late.
 */
export class AgentDialer {
  readonly #address: AgentPortAddress
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(address: AgentPortAddress, concurrency: number) {
    this.#address = address
    this.#free = concurrency
  }

  async dial(credentials: NodeCredentials, signal: AbortSignal): Promise<TLSSocket> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      signal.throwIfAborted()
      return await handshake(this.#address, credentials, signal)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}

function handshake(address: AgentPortAddress, credentials: NodeCredentials, signal: AbortSignal): Promise<TLSSocket> {
  const { keyPem: key, certificatePem: cert, authorityPem: ca } = credentials
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...address,
      ...{ key, cert, ca, servername: serverName, ALPNProtocols: [agentAlpn], minVersion: 'TLSv1.3' },
    })
    const timer = setTimeout(() => socket.destroy(new Error('no answer from the server')), dialTimeoutMs)
    const abort = (): void => void socket.destroy()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.on('error', reject)
    socket.once('close', () => {
      done()
      reject(new Error('the server closed the connection'))
    })
    socket.once('secureConnect', () => {
      done()
      socket.setNoDelay(true)
      resolve(socket)
    })
  })
}
