import type { OutgoingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Endpoint, type EndpointName, endpoints } from '@berth/api'
import { messageOf } from '@berth/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { WebSocket } from 'ws'
import { type Identity, requireRole } from '../auth/identity.ts'
import { endWithError } from '../exec/relay-exec.ts'
import type { State } from '../records/index.ts'
import type { Authenticator } from './authenticate.ts'
import { limitBodyTime } from './body-deadline.ts'
import { errorBody, toErrorAnswer } from './error-status.ts'
import type { Call, Handlers } from './handler.ts'
import type { Listing } from './listings/listing.ts'
import type { StreamLimit } from './stream-limit.ts'
import { checkPathParameters, validate } from './validate.ts'
import { openWatch } from './watch-stream.ts'

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity
  }
}

export interface EndpointOptions {
  readonly handlers: Handlers
  readonly authenticator: Authenticator
  readonly state: State
  readonly log: Logger
  /** Aborts when the server stops. */
  readonly signal: AbortSignal
  readonly streams: StreamLimit
}

/** What anybody may send: a certificate request is the largest of it. */
export const strangerBodyBytes = 65_536

/** Of calls that need no token. */
const nobody: Identity = { actor: 'nobody', role: 'viewer' }

type AnyCall = Call<EndpointName>
type AnyHandler = (call: AnyCall, socket?: WebSocket) => unknown

/** Every route of the API comes from the table of endpoints; there is no other way in. */
export function registerEndpoints(app: FastifyInstance, options: EndpointOptions): void {
  for (const name of Object.keys(endpoints) as EndpointName[]) {
    register(app, endpoints[name], options.handlers[name] as AnyHandler, options)
  }
}

function register(app: FastifyInstance, endpoint: Endpoint, handler: AnyHandler, options: EndpointOptions): void {
  const { method, path, transport } = endpoint
  const allow = (request: FastifyRequest): void => {
    request.identity = endpoint.role === 'none' ? nobody : options.authenticator.identify(request)
    if (endpoint.role !== 'none') requireRole(request.identity, endpoint.role, deedOf(endpoint))
  }
  const answer = answers[transport]
  app.route({
    method,
    url: path,
    onRequest: async (request) => {
      limitBodyTime(request.raw, { isOpen: endpoint.role === 'none' })
      allow(request)
    },
    ...(endpoint.role === 'none' ? { bodyLimit: strangerBodyBytes } : {}),
    handler: async (request, reply) => await answer({ endpoint, handler, options, request, reply }),
    ...(transport !== 'websocket'
      ? {}
      : { wsHandler: (socket, request) => serveSocket(socket, request, endpoint, handler, options) }),
  })
}

/** `remove a freeze`: its summary up to where that goes on about what happens then. */
const deedOf = ({ summary }: Endpoint): string => {
  const [deed = summary] = summary.split(/[;:,(]/)
  return `${deed.charAt(0).toLowerCase()}${deed.slice(1).trim()}`
}

interface Exchange {
  readonly endpoint: Endpoint
  readonly handler: AnyHandler
  readonly options: EndpointOptions
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

type Answer = (exchange: Exchange) => Promise<unknown>

const answers: Readonly<Record<Endpoint['transport'], Answer>> = {
  json: async (exchange) => await exchange.handler(toCall(exchange)),
  list: async (exchange) => {
    const call = toCall(exchange)
    const listing = exchange.handler(call) as Listing<unknown>
    const query = call.query as { readonly watch?: boolean; readonly revision?: number }
    if (query.watch === true) {
      enterStream(exchange)
      return await answerWatch(exchange, listing, call.signal, query.revision)
    }
    return { items: listing.all(), revision: exchange.options.state.revision }
  },
  ndjson: async (exchange) => {
    const call = toCall(exchange)
    enterStream(exchange)
    return await answerLines(exchange, exchange.handler(call) as AsyncIterable<unknown>)
  },
  // No endpoint has it; lists do.
  sse: async () => undefined,
  websocket: async ({ reply }) => {
    const message = 'this address takes WebSockets only'
    return await reply.code(426).send(errorBody('request.upgrade-required', message))
  },
}

/** Ends with the connection, whichever way the answer ends. */
function enterStream({ options, request, reply }: Exchange): void {
  const ended = new AbortController()
  options.streams.enter(request.identity.actor, ended.signal)
  if (reply.raw.closed) ended.abort()
  else reply.raw.once('close', () => ended.abort())
}

function toCall({ endpoint, request, reply, options }: Exchange): AnyCall {
  const left = new AbortController()
  reply.raw.once('close', () => left.abort(callerLeft))
  return parseCall(endpoint, request, options, left.signal)
}

/** `left` aborts when the caller has gone, with or without its answer. */
function parseCall(endpoint: Endpoint, request: FastifyRequest, options: EndpointOptions, left: AbortSignal): AnyCall {
  const params = request.params as Record<string, string>
  checkPathParameters(endpoint.path, params)
  const { body } = request
  return {
    params: validate('params', endpoint.params, { ...params }),
    query: validate('query', endpoint.query, { ...(request.query as object) }),
    body: validate('body', endpoint.body, body),
    identity: request.identity,
    remote: request.ip ?? '',
    context: { actor: request.identity.actor, signal: options.signal },
    signal: AbortSignal.any([left, options.signal]),
    ...(body instanceof Readable ? { upload: body } : {}),
  } as AnyCall
}

const callerLeft = new Error('the caller has left')

async function answerWatch(
  { options, request, reply }: Exchange,
  listing: Listing<unknown>,
  signal: AbortSignal,
  revision: number | undefined,
): Promise<void> {
  const resumed = Number(request.headers['last-event-id'] ?? Number.NaN)
  const from = Number.isInteger(resumed) ? resumed : (revision ?? options.state.revision)
  const watch = await openWatch(listing, { state: options.state, revision: from, signal })
  reply.hijack()
  reply.raw.writeHead(200, headOfStream(reply, 'text/event-stream'))
  await watch.run(reply.raw)
  reply.raw.end()
}

/** No proxy in between may keep a live stream to itself. */
const streamHeaders = { 'cache-control': 'no-store', 'x-accel-buffering': 'no', 'x-content-type-options': 'nosniff' }

const headOfStream = (reply: FastifyReply, type: string): OutgoingHttpHeaders => ({
  ...(reply.getHeaders() as OutgoingHttpHeaders),
  'content-type': `${type}; charset=utf-8`,
  ...streamHeaders,
})

/** The first line decides the status; what fails later is said in a line, since the status is gone. */
async function answerLines({ options, request, reply }: Exchange, lines: AsyncIterable<unknown>): Promise<void> {
  const iterator = lines[Symbol.asyncIterator]()
  reply.hijack()
  reply.raw.writeHead(200, headOfStream(reply, 'application/x-ndjson'))
  reply.raw.flushHeaders()
  try {
    await pipeline(documentsOf(iterator, options.log), reply.raw)
  } catch (error) {
    options.log.debug({ err: error, request: request.id }, 'a reader of lines left')
  } finally {
    await iterator.return?.()
  }
}

async function* documentsOf(iterator: AsyncIterator<unknown>, log: Logger): AsyncGenerator<string> {
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      yield `${JSON.stringify(next.value)}\n`
    }
  } catch (error) {
    log.info({ err: error }, `a stream of lines broke off: ${messageOf(error)}`)
    const { body } = toErrorAnswer(error, '')
    yield `${JSON.stringify({ at: Date.now(), stream: 'system', line: body.error.message })}\n`
  }
}

const goingAway = 1001
const closeTimeoutMs = 1_000

/** A WebSocket is no longer the HTTP server's, so it is ended here when the server stops, answer or not. */
function closeWithServer(socket: WebSocket, stopping: AbortSignal, left: AbortSignal): void {
  const close = (): void => {
    socket.close(goingAway, 'the server stops')
    setTimeout(() => socket.terminate(), closeTimeoutMs).unref()
  }
  stopping.addEventListener('abort', close, { once: true, signal: left })
}

function serveSocket(
  socket: WebSocket,
  request: FastifyRequest,
  endpoint: Endpoint,
  handler: AnyHandler,
  options: EndpointOptions,
): void {
  const left = new AbortController()
  // Whoever handles it resumes it when it listens; what comes earlier waits.
  socket.pause()
  socket.once('close', () => left.abort(callerLeft))
  closeWithServer(socket, options.signal, left.signal)
  socket.on('error', (error) => options.log.debug({ err: error }, 'a WebSocket failed'))
  const run = async (): Promise<void> => {
    options.streams.enter(request.identity.actor, left.signal)
    await handler(parseCall(endpoint, request, options, left.signal), socket)
  }
  run().catch(async (error: unknown) => {
    const { status, body } = toErrorAnswer(error, String(request.id))
    if (status >= 500) options.log.error({ err: error, request: request.id }, messageOf(error))
    socket.resume()
    await endWithError(socket, body.error.message)
  })
}
