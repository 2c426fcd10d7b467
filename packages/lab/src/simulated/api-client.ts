import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { type Client, createClient, type TransportRequest, type TransportResponse } from '@berth/api'

/** The local socket of a server, or its address with a token and the authority that signed its certificate. */
export type ApiAddress =
  | { readonly socketPath: string }
  | { readonly url: string; readonly token: string; readonly authorityFile: string }

/** A client that keeps its connections: thousands of calls need few of them. */
export function createApiClient(address: ApiAddress): Client {
  if ('socketPath' in address) {
    const agent = new HttpAgent({ keepAlive: true })
    return createClient((call) => send((options) => httpRequest({ ...options, agent, ...address }), call))
  }
  const { url, token, authorityFile } = address
  const agent = new HttpsAgent({ keepAlive: true, ca: readFileSync(authorityFile) })
  const authorization = { authorization: `Bearer ${token}` }
  return createClient((call) =>
    send((options) => httpsRequest(new URL(call.path, url), { ...options, agent }), {
      ...call,
      headers: { ...call.headers, ...authorization },
    }),
  )
}

function send(
  open: (options: RequestOptions) => ReturnType<typeof httpRequest>,
  { method, path, headers, body, signal }: TransportRequest,
): Promise<TransportResponse> {
  return new Promise((resolve, reject) => {
    if (body !== undefined && typeof body !== 'string') throw new Error('this client uploads nothing')
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const abort = signal === undefined ? {} : { signal }
    const call = open({ method, path, headers: { ...headers, ...length }, ...abort })
    let isAnswered = false
    call.once('response', (response) => {
      isAnswered = true
      resolve({ status: response.statusCode ?? 0, body: response })
    })
    call.on('error', (error: NodeJS.ErrnoException) => {
      // The server has closed a connection that was kept, at the very moment at which it was used again.
      const isStale = call.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
      if (isStale && !isAnswered)
        send(open, { method, path, headers, ...(body === undefined ? {} : { body }), ...abort }).then(resolve, reject)
      else reject(error)
    })
    call.end(body)
  })
}
