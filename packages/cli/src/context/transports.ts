import { X509Certificate } from 'node:crypto'
import { type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import type { Transport, TransportRequest } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'

/** How the CLI reaches a server: by the local socket, or by TLS with a token and the authority that it trusts. */
export type Endpoint =
  | { readonly type: 'socket'; readonly path: string }
  /** An empty token: a call that needs none. */
  | { readonly type: 'tls'; readonly url: string; readonly token: string; readonly authorityPem?: string }

export interface TransportOptions {
  /** Gives up a connection that is not there by then. */
  readonly connectWithinMs?: number
}

export function createTransport(endpoint: Endpoint, options: TransportOptions = {}): Transport {
  return (request) =>
    new Promise((resolve, reject) => {
      const outgoing = open(endpoint, request)
      const isConnected = watchConnecting(outgoing, options)
      outgoing.once('response', (response) =>
        resolve({
          status: response.statusCode ?? 0,
          body: bodyOf(endpoint, response, request.signal),
          header: (name) => response.headers[name]?.toString(),
        }),
      )
      outgoing.once('error', (error) => {
        if (request.signal?.aborted === true) reject(request.signal.reason)
        else reject(isConnected() ? brokenOff(endpoint, error) : unreachable(endpoint, error))
      })
      send(outgoing, request)
    })
}

/** A stream waits for the connection: what one server did not get is there for the next. */
function send(outgoing: ClientRequest, { body, path }: TransportRequest): void {
  if (path.includes('watch=true')) outgoing.setTimeout(silenceMs, () => outgoing.destroy(new Error(silence)))
  if (body === undefined) outgoing.end()
  else if (typeof body === 'string') outgoing.end(body)
  else onceConnected(outgoing, () => Readable.from(body).pipe(outgoing))
}

/** A watch is told something every fifteen seconds. */
const silenceMs = 45_000
const silence = `nothing was heard for ${silenceMs / 1000} s`

function onceConnected(outgoing: ClientRequest, act: () => void): void {
  outgoing.once('socket', (socket) => {
    if (!socket.connecting && outgoing.reusedSocket) act()
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', act)
  })
}

function watchConnecting(outgoing: ClientRequest, { connectWithinMs }: TransportOptions): () => boolean {
  let connected = false
  const giveUp = (): void => void outgoing.destroy(new Error(`no connection within ${(connectWithinMs ?? 0) / 1000} s`))
  const timer = connectWithinMs === undefined ? undefined : setTimeout(giveUp, connectWithinMs)
  onceConnected(outgoing, () => {
    connected = true
    clearTimeout(timer)
  })
  outgoing.once('close', () => clearTimeout(timer))
  return () => connected
}

/** A connection that breaks off in the middle of an answer says so, as one that cannot be made does. */
async function* bodyOf(
  endpoint: Endpoint,
  response: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* response
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason
    throw brokenOff(endpoint, error)
  }
}

/** It may have been done or not. */
function brokenOff(endpoint: Endpoint, error: unknown): BerthError {
  const message = `the connection to the server at ${placeOf(endpoint)} broke off (${messageOf(error)})${otherPort(endpoint)}`
  return new BerthError('server.gone', message, { retryable: true, cause: error })
}

/** The port that agents dial closes what shows no node's certificate without a word. */
const otherPort = (endpoint: Endpoint): string =>
  endpoint.type === 'tls' && new URL(endpoint.url).port === '7601'
    ? '; 7601 is the port that nodes dial, the API’s is 7600 unless the server was told otherwise'
    : ''

export const placeOf = (endpoint: Endpoint): string => (endpoint.type === 'socket' ? endpoint.path : endpoint.url)

/** The server has nothing of the call. */
export const isNotSent = (error: unknown): boolean => error instanceof BerthError && error.code === 'server.unreachable'

function open(endpoint: Endpoint, request: TransportRequest): ClientRequest {
  const length = typeof request.body === 'string' ? { 'content-length': String(Buffer.byteLength(request.body)) } : {}
  const options: RequestOptions = {
    method: request.method,
    path: request.path,
    headers: { ...request.headers, ...length },
  }
  if (request.signal !== undefined) options.signal = request.signal
  if (endpoint.type === 'socket') return httpRequest({ ...options, socketPath: endpoint.path })
  const who = endpoint.token === '' ? {} : { authorization: `Bearer ${endpoint.token}` }
  const headers = { ...request.headers, ...length, ...who }
  const trust = endpoint.authorityPem === undefined ? {} : { ca: endpoint.authorityPem }
  return httpsRequest(new URL(request.path, endpoint.url), { ...options, ...trust, headers })
}

function unreachable(endpoint: Endpoint, error: Error): BerthError {
  const reason = reasonOf((error as NodeJS.ErrnoException).code ?? '', error)
  return new BerthError('server.unreachable', `reach the server at ${placeOf(endpoint)}: ${reason}`, {
    retryable: true,
    cause: error,
    details: { reason },
  })
}

function reasonOf(code: string, error: Error): string {
  if (code === 'ENOENT')
    return 'there is no such socket; is the server running here (`berth up`), or did you mean another context (`berth context ls`)?'
  if (code === 'ECONNREFUSED') return 'nobody answers; is the server running there (`berth up`, `berth status`)?'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its name is not known here; is it mistyped?'
  if (code === 'EACCES') return 'no permission; run as root, or use a token (`berth context add`)'
  if (
    code === 'DEPTH_ZERO_SELF_SIGNED_CERT' ||
    code === 'SELF_SIGNED_CERT_IN_CHAIN' ||
    code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  ) {
    return 'its certificate is not from an authority known here; add the context with --authority FILE or --fingerprint SHA256 (`berth status` on the server tells it), or give the file by BERTH_AUTHORITY'
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return 'a certificate has expired: the server’s own, or the authority by which this context knows it; an admin finds out with `berth status` on the server, and the context is added anew with --authority FILE or --fingerprint'
  }
  return messageOf(error)
}

/** The authority's fingerprint in the form that join tokens and people use: SHA-256, hex, lower case. */
export const fingerprintOf = (pem: string): string =>
  new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
