import { BerthError } from '@berth/core'
import type { z } from 'zod'
import { clusterHeaders, formatRevision, laterRevision, parseRevision, type SeenRevision } from './cluster-headers.ts'
import type { Endpoint, ErrorBody, WatchEvent } from './endpoint.ts'
import { type EndpointName, type Endpoints, endpoints } from './endpoints.ts'
import { readLines, readServerSentEvents } from './stream-lines.ts'

/** How a request travels: `fetch` in browsers, a unix socket or pinned TLS in the CLI. Must reject when `signal` aborts. */
export type Transport = (request: TransportRequest) => Promise<TransportResponse>

export interface TransportRequest {
  readonly method: string
  /** With the query: `/v1/apps?watch=true`. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
}

export interface TransportResponse {
  readonly status: number
  readonly body: AsyncIterable<Uint8Array>
  /** By its name in lower case. Absent where a transport cannot tell. */
  header?(name: string): string | undefined
}

export interface ClientOptions {
  /** What this caller has seen before: no server answers with what is older. */
  readonly seen?: SeenRevision | undefined
}

type In<T extends z.ZodType> = z.input<T>
type Out<T extends z.ZodType> = z.output<T>
type ByTransport<T extends string> = {
  [N in EndpointName]: Endpoints[N]['transport'] extends T ? N : never
}[EndpointName]

export interface CallInput<N extends EndpointName> {
  readonly params?: In<Endpoints[N]['params']>
  readonly query?: In<Endpoints[N]['query']>
  readonly body?: In<Endpoints[N]['body']>
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export type Answer<N extends EndpointName> = Out<Endpoints[N]['response']>

export interface Listing<T> {
  readonly items: readonly T[]
  readonly revision: number
}

export interface Client {
  call<N extends ByTransport<'json'>>(name: N, input?: CallInput<N>, options?: CallOptions): Promise<Answer<N>>
  list<N extends ByTransport<'list'>>(name: N, input?: CallInput<N>, options?: CallOptions): Promise<Listing<Answer<N>>>
  /** Changes after `revision` (of a listing), live until the signal aborts. Fails with `store.compacted` when it must list again. */
  watch<N extends ByTransport<'list'>>(
    name: N,
    input: CallInput<N> & { readonly revision: number },
    options?: CallOptions,
  ): AsyncIterable<WatchEvent<Answer<N>>>
  lines<N extends ByTransport<'ndjson'>>(name: N, input?: CallInput<N>, options?: CallOptions): AsyncIterable<Answer<N>>
  /** A body of bytes (`uploadSource`). */
  upload<N extends ByTransport<'json'>>(
    name: N,
    input: Pick<CallInput<N>, 'params'> & { readonly content: AsyncIterable<Uint8Array> },
    options?: CallOptions,
  ): Promise<Answer<N>>
}

/**
 * The typed client of the HTTP API. Failures are {@link BerthError}s with the server's code, message and details. Whichever server of a
 * cluster answers a call, it answers with what this client has written and seen before.
 */
export function createClient(transport: Transport, { seen: before }: ClientOptions = {}): Client {
  let seen = before
  const send = async (name: EndpointName, input: LooseInput, options: CallOptions = {}): Promise<TransportResponse> => {
    const endpoint: Endpoint = endpoints[name]
    const request = toRequest(endpoint, input, options.signal)
    const response = await transport(seen === undefined ? request : after(seen, request))
    const heard = parseRevision(response.header?.(clusterHeaders.revision))
    if (heard !== undefined) seen = laterRevision(seen, heard)
    if (response.status >= 400) throw await toError(response, endpoint)
    return response
  }
  const json = async (name: EndpointName, input: LooseInput, options?: CallOptions): Promise<never> =>
    JSON.parse(await readText((await send(name, input, options)).body)) as never
  return {
    call: (name, input = {}, options) => json(name, input as LooseInput, options),
    list: (name, input = {}, options) => json(name, input as LooseInput, options),
    upload: (name, input, options) => json(name, input as LooseInput, options),
    async *lines(name, input = {}, options) {
      const response = await send(name, input as LooseInput, options)
      for await (const line of readLines(response.body)) if (line !== '') yield JSON.parse(line)
    },
    async *watch(name, { revision, ...input }, options) {
      const query = { ...(input.query as object | undefined), watch: 'true', revision: String(revision) }
      const response = await send(name, { ...(input as LooseInput), query }, options)
      for await (const event of readServerSentEvents(response.body)) {
        const document = JSON.parse(event.data)
        if (event.type === 'error') throw fromBody(document)
        if (seen !== undefined) seen = laterRevision(seen, { ...seen, revision: document.revision })
        yield document
      }
    },
  }
}

const after = (seen: SeenRevision, request: TransportRequest): TransportRequest => ({
  ...request,
  headers: { ...request.headers, [clusterHeaders.revision]: formatRevision(seen) },
})

interface LooseInput {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly body?: unknown
  readonly content?: AsyncIterable<Uint8Array>
}

function toRequest(endpoint: Endpoint, input: LooseInput, signal: AbortSignal | undefined): TransportRequest {
  const path = endpoint.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(input.params?.[name] ?? ''))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(input.query ?? {})) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) query.append(name, String(each))
  }
  const request = {
    method: endpoint.method,
    path: query.size === 0 ? path : `${path}?${query}`,
    ...(signal === undefined ? {} : { signal }),
  }
  if (input.content !== undefined)
    return { ...request, headers: { 'content-type': 'application/octet-stream' }, body: input.content }
  if (endpoint.method === 'GET' || endpoint.method === 'DELETE') return { ...request, headers: {} }
  return { ...request, headers: { 'content-type': 'application/json' }, body: JSON.stringify(input.body ?? {}) }
}

async function toError(response: TransportResponse, endpoint: Endpoint): Promise<BerthError> {
  const text = await readText(response.body)
  try {
    const body: ErrorBody = JSON.parse(text)
    // Not every error document is Berth's: a framework's or a proxy's has other fields.
    if (typeof body.error.code !== 'string') throw new Error('no error document')
    return fromBody(body)
  } catch {
    const start = text.slice(0, 200).trim()
    return new BerthError(
      'api.unexpected-answer',
      `${endpoint.method} ${endpoint.path} was answered ${response.status}: ${start || 'nothing'}`,
    )
  }
}

function fromBody(body: ErrorBody): BerthError {
  const { code, message, retryable, details } = body.error
  return new BerthError(code, message, { retryable, details })
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true })
  return text + decoder.decode()
}
