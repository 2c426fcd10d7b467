import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import type { ServerAddress } from '@berth/api'
import { agentAlpn } from '@berth/api/agent-protocol'
import { BerthError, messageOf } from '@berth/core'
import type { NodeIdentity } from './node-identity.ts'

/** Every server's certificate has this name, whatever address it is reached at. */
export const serverName = 'berth-server'

const connectTimeoutMs = 10_000
const keepAliveMs = 10_000

/** Opens the mutually authenticated connection that the agent then serves. */
export async function dial(
  address: ServerAddress,
  identity: Pick<NodeIdentity, 'keyPem' | 'certificatePem' | 'authorityPem'>,
  signal: AbortSignal,
): Promise<TLSSocket> {
  signal.throwIfAborted()
  const socket = connect({
    host: address.host,
    port: address.port,
    key: identity.keyPem,
    cert: identity.certificatePem,
    ca: identity.authorityPem,
    ALPNProtocols: [agentAlpn],
    servername: serverName,
    // A node's certificate is signed by the same authority, but is good for clients only: TLS itself refuses it here.
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
    minVersion: 'TLSv1.3',
  })
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  )
  const abort = (): void => void socket.destroy()
  signal.addEventListener('abort', abort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed')))
    })
    if (socket.alpnProtocol !== agentAlpn) throw new Error('it is no agent port of a Berth server')
    socket.setKeepAlive(true, keepAliveMs)
    socket.setNoDelay(true)
    return socket
  } catch (cause) {
    socket.destroy()
    signal.throwIfAborted()
    throw new BerthError(
      'agent.server-unreachable',
      `connect to the server at ${address.host}:${address.port}: ${reason(cause)}`,
      {
        retryable: true,
        cause,
      },
    )
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

/** The server is there, and not one of this node's cluster. */
const foreign: ReadonlySet<unknown> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
])

/** By this machine's clock. */
const outOfTime: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has ended',
  CERT_NOT_YET_VALID: 'is not good yet',
}

/** Happy eyeballs hide the reasons in an `AggregateError` with an empty message. */
function reason(error: unknown, now = Date.now()): string {
  if (error instanceof AggregateError) return error.errors.map((each) => reason(each, now)).join('; ')
  if (foreign.has((error as NodeJS.ErrnoException).code))
    return `what answers there has keys of another authority than the cluster that this node has joined (${messageOf(error)}): a server of another cluster, or one that was set up or restored without its keys. Bring server/authority/ back there; if the keys are lost, this node has to join anew: berth down --all --purge, remove agent/node.json of the state directory, berth node join`
  const fault = outOfTime[String((error as NodeJS.ErrnoException).code)]
  if (fault !== undefined)
    return `its certificate ${fault} by the clock of this machine, which says ${new Date(now).toISOString()}: set the clock; if it is right, the server's is not, or its certificate was not renewed (berth status there)`
  return messageOf(error)
}
