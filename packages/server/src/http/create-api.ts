import { randomBytes } from 'node:crypto'
import { BerthError, messageOf } from '@berth/core'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { maxFrameBytes } from '../agents/length-framing.ts'
import { requireRole } from '../auth/identity.ts'
import type { ServerMetrics } from '../metrics/server-metrics.ts'
import type { Authenticator } from './authenticate.ts'
import { type ConsoleFiles, serveConsole } from './console-files.ts'
import { errorBody, toErrorAnswer } from './error-status.ts'
import { createHandlers } from './handlers/index.ts'
import { registerHookRoutes } from './hook-routes.ts'
import { keepInStep } from './in-step.ts'
import { openApiDocument } from './openapi.ts'
import { registerEndpoints } from './register-endpoints.ts'
import type { Services } from './services.ts'
import { registerSessionRoutes } from './session-routes.ts'
import { StreamLimit } from './stream-limit.ts'

const bodyLimitBytes = 2_097_152
const maxParamLength = 300

export interface ApiOptions {
  readonly services: Services
  readonly authenticator: Authenticator
  readonly metrics: ServerMetrics
  /** The console's files; absent where it was not built in. */
  readonly console?: ConsoleFiles | undefined
  readonly log: Logger
  /** Ends streams when the server stops. */
  readonly signal: AbortSignal
}

/** The HTTP API with the console, not listening yet: its `routing` serves any number of listeners. */
export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const { services, authenticator, log, signal } = options
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    routerOptions: { maxParamLength },
    genReqId: () => randomBytes(6).toString('hex'),
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    // Refused before any route is found: an address that does not decode.
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      reply.code(400).send(errorBody('request.invalid', error.message))
    },
  })
  app.decorateRequest('identity')
  acceptBodies(app)
  observe(app, options)
  answerErrors(app, options)
  await app.register(websocket, { options: { maxPayload: maxFrameBytes } })
  await app.register(async (scope) => {
    keepInStep(scope, { state: services.views.state, servers: services.servers })
    const handlers = createHandlers(services, log)
    registerEndpoints(scope, {
      handlers,
      authenticator,
      state: services.views.state,
      log,
      signal,
      streams: new StreamLimit(),
    })
    registerSessionRoutes(scope, services.sessions, authenticator)
    registerOperations(scope, options)
    await registerHookRoutes(scope, services.webhooks, signal)
  })
  await app.ready()
  return app
}

/** JSON, where nothing at all counts as an empty document, and bytes for uploads, which are not gathered. */
function acceptBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, text === '' ? undefined : JSON.parse(text as string))
    } catch (error) {
      done(new BerthError('request.invalid', `the body is no JSON: ${messageOf(error)}`))
    }
  })
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
}

/**
 * Every call is counted; every change, refusal and failure is logged with its actor. Addresses are logged as patterns: a query may hold
 * what nobody should read.
 */
function observe(app: FastifyInstance, { metrics, log }: ApiOptions): void {
  app.addHook('onSend', async (request, reply) => {
    // The framework says `connection: close` after some refusals, which HTTP/2 does not know.
    if (request.raw.httpVersionMajor === 2) reply.removeHeader('connection')
    reply.header('x-content-type-options', 'nosniff')
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    metrics.countRequest(request.method, route, reply.statusCode, reply.elapsedTime / 1000)
    const quiet = request.method === 'GET' && reply.statusCode < 500
    log[quiet ? 'debug' : 'info'](
      {
        ...{
          request: request.id,
          actor: request.identity?.actor,
          method: request.method,
          route,
          params: request.params,
        },
        ...{ status: reply.statusCode, ms: Math.round(reply.elapsedTime), remote: request.ip },
      },
      `${request.method} ${route} ${reply.statusCode}`,
    )
  })
}

function answerErrors(app: FastifyInstance, options: ApiOptions): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = toErrorAnswer(error, request.id)
    if (status >= 500) options.log.error({ err: error, request: request.id }, messageOf(error))
    const { retryAfterMs } = body.error.details
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="berth"')
    if (typeof retryAfterMs === 'number') reply.header('retry-after', String(Math.ceil(retryAfterMs / 1000)))
    return reply.code(status).send(body)
  })
  app.setNotFoundHandler(async (request, reply) => await notFound(request, reply, options))
}

/** Whatever is not the API's belongs to the console, which has pages at any address. */
async function notFound(request: FastifyRequest, reply: FastifyReply, options: ApiOptions): Promise<unknown> {
  const path = new URL(request.url, 'http://berth').pathname
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (isRead && !path.startsWith('/v1/') && options.console !== undefined) {
    return await serveConsole(options.console, path, request, reply)
  }
  const message = `there is nothing at ${request.method} ${path.slice(0, 200)}; /v1/openapi.json describes the API`
  return await reply.code(404).send(errorBody('request.not-found', message))
}

/** For machines: health, metrics and the description of the API. */
function registerOperations(app: FastifyInstance, { services, authenticator, metrics }: ApiOptions): void {
  let document: string | undefined
  app.get('/healthz', async (_request, reply) => await reply.type('text/plain').send('ok\n'))
  app.get('/v1/openapi.json', async (_request, reply) => {
    document ??= JSON.stringify(openApiDocument(services.info.version))
    return await reply.type('application/json').send(document)
  })
  app.get('/metrics', async (request, reply) => {
    request.identity = authenticator.identify(request)
    requireRole(request.identity, 'viewer', 'read metrics')
    return await reply.type(metrics.contentType).send(await metrics.text())
  })
}
