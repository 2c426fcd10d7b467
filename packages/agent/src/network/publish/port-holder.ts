import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { BerthError, describeHostPort, type PortProtocol } from '@berth/core'

/** A port of the node, before it is known what it leads to; 0: any that is free. */
export interface HostPort {
  readonly protocol: PortProtocol
  readonly hostAddress?: string
  readonly hostPort: number
}

interface Held {
  readonly port: number
  close(): Promise<void>
}

/**
 * Keeps published ports from other programs of the node, and tells whether one has them already, as the kernel alone knows. Packets never
 * come here: they are given their container's address before. So nothing depends on it but that two are not given one port.
 */
export class PortHolder implements AsyncDisposable {
  readonly #held = new Map<string, Held>()

  isHeld(wanted: HostPort): boolean {
    return this.#held.has(describeHostPort(wanted))
  }

  /** Gives the port. Throws `plugin.port-in-use`, and for an address that is none of the node's `plugin.bad-port`. */
  async hold(wanted: HostPort): Promise<number> {
    const found = this.#held.get(describeHostPort(wanted))
    if (found !== undefined) return found.port
    const held = await bind(wanted).catch((error: unknown) => {
      throw refusal(wanted, error)
    })
    this.#held.set(describeHostPort({ ...wanted, hostPort: held.port }), held)
    return held.port
  }

  async release(port: HostPort): Promise<void> {
    const held = this.#held.get(describeHostPort(port))
    this.#held.delete(describeHostPort(port))
    await held?.close()
  }

  /** What is held besides these. */
  async releaseOthers(kept: readonly HostPort[]): Promise<void> {
    const names = new Set(kept.map(describeHostPort))
    for (const [name, held] of this.#held) {
      if (names.has(name)) continue
      this.#held.delete(name)
      await held.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.releaseOthers([])
  }
}

const everywhere = '0.0.0.0'

const bind = ({ protocol, hostAddress = everywhere, hostPort }: HostPort): Promise<Held> =>
  protocol === 'tcp' ? bindTcp(hostAddress, hostPort) : bindUdp(hostAddress, hostPort)

async function bindTcp(host: string, port: number): Promise<Held> {
  const server = createServer((socket) => socket.destroy())
  server.listen({ host, port, exclusive: true })
  await once(server, 'listening')
  server.unref()
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

async function bindUdp(address: string, port: number): Promise<Held> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.bind({ address, port, exclusive: true })
  await once(socket, 'listening')
  socket.unref()
  return { port: socket.address().port, close: () => new Promise((resolve) => socket.close(() => resolve())) }
}

function refusal(wanted: HostPort, cause: unknown): BerthError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  const what = `publish port ${describeHostPort(wanted)}`
  if (code === 'EADDRINUSE') {
    const option = wanted.protocol === 'tcp' ? '-Hlntp' : '-Hlnup'
    const text = `a program of this node has it (ss ${option} sport = :${wanted.hostPort}); end that, or choose another port`
    return new BerthError('plugin.port-in-use', `${what}: ${text}`, { cause })
  }
  const why = code === 'EADDRNOTAVAIL' ? `${wanted.hostAddress} is no address of this node` : code
  return new BerthError('plugin.bad-port', `${what}: ${why}`, { cause })
}
