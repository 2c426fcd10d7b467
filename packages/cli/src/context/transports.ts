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

export function createTransport(endpoint: Endpoint): Transport {
  return (request) =>
    new Promise((resolve, reject) => {
      const outgoing = open(endpoint, request)
      outgoing.once('response', (response) =>
        resolve({ status: response.statusCode ?? 0, body: bodyOf(endpoint, response, request.signal) }),
      )
      outgoing.once('error', (error) =>
        reject(request.signal?.aborted === true ? request.signal.reason : unreachable(endpoint, error)),
      )
      if (request.body === undefined) outgoing.end()
      else if (typeof request.body === 'string') outgoing.end(request.body)
      else Readable.from(request.body).pipe(outgoing)
    })
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
    const message = `the connection to the server at ${placeOf(endpoint)} broke off (${messageOf(error)})`
    throw new BerthError('server.gone', message, { retryable: true, cause: error })
  }
}

const placeOf = (endpoint: Endpoint): string => (endpoint.type === 'socket' ? endpoint.path : endpoint.url)

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
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return new BerthError('server.unreachable', `reach the server at ${placeOf(endpoint)}: ${reasonOf(code, error)}`, {
    retryable: true,
    cause: error,
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
