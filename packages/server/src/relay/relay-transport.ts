import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Transport } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import { serverName } from '../authority/authority.ts'
import type { ListenAddress } from '../http/listen-address.ts'

export interface RelayTransportOptions {
  readonly server: string
  readonly address: ListenAddress
  readonly authorityPem: string
  /** Says who calls. */
  readonly sign: (call: { readonly method: string; readonly path: string }) => Readonly<Record<string, string>>
}

const connectMs = 3_000

/** To another server of the cluster, which shows the cluster's own certificate to whoever asks for a server. */
export function createRelayTransport({ server, address, authorityPem, sign }: RelayTransportOptions): Transport {
  return async ({ method, path, headers, body, signal }) => {
    const call = httpsRequest({
      ...{ host: address.host, port: address.port, method, path, agent: false },
      ...{ ca: authorityPem, servername: serverName },
      headers: { ...headers, ...sign({ method, path }) },
      ...(signal === undefined ? {} : { signal }),
    })
    const giveUp = setTimeout(() => call.destroy(new Error(`no connection within ${connectMs / 1000} s`)), connectMs)
    call.once('socket', (socket) => socket.once('secureConnect', () => clearTimeout(giveUp)))
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    call.once('response', resolve)
    call.once('error', reject)
    if (body === undefined || typeof body === 'string') call.end(body)
    // What breaks off there is said by the call itself.
    else pipeline(Readable.from(body), call).catch(reject)
    try {
      const response = await promise
      const header = (name: string): string | undefined => response.headers[name]?.toString()
      return { status: response.statusCode ?? 0, body: chunksOf(server, response, signal), header }
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : relayFailed(server, error)
    } finally {
      clearTimeout(giveUp)
    }
  }
}

async function* chunksOf(server: string, body: AsyncIterable<Uint8Array>, signal?: AbortSignal) {
  try {
    yield* body
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : relayFailed(server, error)
  }
}

const relayFailed = (server: string, error: unknown): BerthError =>
  new BerthError(
    'server.relay-failed',
    `pass the call on to server ${server}: ${messageOf(error)}; try again in a moment, \`berth server ls\` shows who is up`,
    { retryable: true, cause: error, details: { server } },
  )
