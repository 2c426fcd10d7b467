import * as api from '@berth/api'
import { type Endpoint, endpoints } from '@berth/api'
import { z } from 'zod'
import { loginAnswer, loginBody } from './session-routes.ts'

type Json = Readonly<Record<string, unknown>>

const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    retryable: z.boolean(),
    details: z.record(z.string(), z.unknown()),
  }),
})

/** OpenAPI 3.1, made from the same table as the routes. */
export function openApiDocument(version: string): Json {
  const names = viewNames()
  const paths: Record<string, Record<string, Json>> = { ...sessionPaths() }
  for (const [name, endpoint] of Object.entries(endpoints) as [string, Endpoint][]) {
    const path = endpoint.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operationOf(name, endpoint, names) }
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Berth',
      version,
      description:
        'Times are milliseconds since the epoch, CPU thousandths of a core, sizes bytes. Lists answer `{items, revision}`; with `?watch=true&revision=N` they answer server-sent events of what changes after revision N, to be resumed by `Last-Event-ID`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: components(names),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: '`berth_<name>_…`, made by `berth token create`' },
        session: { type: 'apiKey', in: 'cookie', name: 'berth_session', description: 'Made by POST /v1/login' },
      },
    },
  }
}

function operationOf(name: string, endpoint: Endpoint, names: ReadonlyMap<z.ZodType, string>): Json {
  const hasBody = !['GET', 'DELETE'].includes(endpoint.method) && !isEmpty(endpoint.body)
  return {
    operationId: name,
    summary: endpoint.summary,
    tags: [endpoint.path.split('/')[2] ?? 'api'],
    parameters: [...parametersOf(endpoint.params, 'path'), ...parametersOf(endpoint.query, 'query')],
    ...(hasBody ? { requestBody: requestBodyOf(endpoint) } : {}),
    responses: responsesOf(endpoint, names),
    security: endpoint.role === 'none' ? [] : [{ token: [] }, { session: [] }],
    'x-berth-role': endpoint.role,
  }
}

const isEmpty = (schema: z.ZodType): boolean => schema instanceof z.ZodObject && Object.keys(schema.shape).length === 0

function parametersOf(schema: z.ZodType, place: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = toSchema(schema, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>
    readonly required?: readonly string[]
  }
  return Object.entries(properties).map(([name, each]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: each,
  }))
}

function requestBodyOf(endpoint: Endpoint): Json {
  // The one body that is no document: an upload.
  if (endpoint.body instanceof z.ZodUnknown) {
    return { required: true, content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } }
  }
  return { required: true, content: { 'application/json': { schema: toSchema(endpoint.body, 'input') } } }
}

function responsesOf(endpoint: Endpoint, names: ReadonlyMap<z.ZodType, string>): Json {
  const item = schemaOf(endpoint.response, names)
  const errors = { description: 'Failed', content: { 'application/json': { schema: reference('Error') } } }
  if (endpoint.transport === 'websocket')
    return { 101: { description: 'A WebSocket; the frames of commands are in exec-frames.ts' }, default: errors }
  return { 200: { description: 'Done', content: contentOf(endpoint.transport, item) }, default: errors }
}

function contentOf(transport: Endpoint['transport'], item: Json): Json {
  if (transport === 'ndjson') return { 'application/x-ndjson': { schema: item } }
  if (transport !== 'list') return { 'application/json': { schema: item } }
  const list = {
    type: 'object',
    properties: { items: { type: 'array', items: item }, revision: { type: 'integer' } },
    required: ['items', 'revision'],
  }
  return { 'application/json': { schema: list }, 'text/event-stream': { schema: watchEvent(item) } }
}

const watchEvent = (item: Json): Json => ({
  type: 'object',
  properties: {
    type: { enum: ['put', 'delete', 'mark'] },
    revision: { type: 'integer' },
    item,
    id: { type: 'string' },
  },
  required: ['type', 'revision'],
})

function sessionPaths(): Record<string, Record<string, Json>> {
  const errors = { description: 'Failed', content: { 'application/json': { schema: reference('Error') } } }
  const login = {
    operationId: 'login',
    summary: 'A session cookie for a token, for browsers',
    tags: ['session'],
    requestBody: { required: true, content: { 'application/json': { schema: toSchema(loginBody, 'input') } } },
    responses: {
      200: { description: 'Done', content: { 'application/json': { schema: toSchema(loginAnswer, 'output') } } },
      default: errors,
    },
    security: [],
  }
  const logout = {
    operationId: 'logout',
    summary: 'Ends the session of this browser',
    tags: ['session'],
    responses: { 200: { description: 'Done' }, default: errors },
    security: [],
  }
  return { '/v1/login': { post: login }, '/v1/logout': { post: logout } }
}

/** `poolView` of the resources is the component `Pool`. */
function viewNames(): Map<z.ZodType, string> {
  const names = new Map<z.ZodType, string>([[errorSchema, 'Error']])
  for (const [name, value] of Object.entries(api)) {
    if (!name.endsWith('View') || !(value instanceof z.ZodType)) continue
    names.set(value, name.charAt(0).toUpperCase() + name.slice(1, -'View'.length))
  }
  return names
}

const components = (names: ReadonlyMap<z.ZodType, string>): Json =>
  Object.fromEntries([...names].map(([schema, name]) => [name, toSchema(schema, 'output')]))

function schemaOf(schema: z.ZodType, names: ReadonlyMap<z.ZodType, string>): Json {
  const name = names.get(schema)
  return name === undefined ? toSchema(schema, 'output') : reference(name)
}

const reference = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

function toSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Record<string, unknown>
  return rest
}
