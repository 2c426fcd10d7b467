import type { IncomingMessage, ServerResponse } from 'node:http'
import { BerthError, messageOf, waitingTimeMs } from '@berth/core'
import type { Logger } from 'pino'
import type { FailureLimit } from '../auth/failure-limit.ts'
import { type Identity, requireRole } from '../auth/identity.ts'
import { nameInToken } from '../auth/token-text.ts'
import { identityOf, type Tokens } from '../auth/tokens.ts'
import { statusOf } from '../http/error-status.ts'
import { keyOf } from '../records/index.ts'
import type { Store } from '../store/store.ts'
import { type AgentPaths, agentAnswer } from './agent-paths.ts'
import { catalogQueries, healthQueries, type QueryContext } from './catalog-queries.ts'
import { type Answer, type ConsulCall, isSet, type Query, text, waitOf } from './consul-call.ts'
import { keyQuery, writeKey } from './key-queries.ts'
import type { KeySpace } from './key-space.ts'
import type { Keys } from './keys.ts'
import { serverAnswer } from './server-paths.ts'

export interface ConsulApiOptions extends QueryContext {
  readonly store: Store
  readonly space: KeySpace
  readonly keys: Keys
  readonly tokens: Pick<Tokens, 'authenticate'>
  readonly limit: FailureLimit
  /** What callers without a token may do; absent: nothing. */
  readonly anonymous?: 'read'
  /** Since the store was heard of. */
  readonly silentMs: () => number
  readonly agent: AgentPaths
  /** This server, and what it is. */
  readonly name: string
  readonly version: string
  readonly log: Logger
  /** Ends waiting calls. */
  readonly signal: AbortSignal
  readonly random?: () => number
}

/** A result that was made for somebody is kept for others until it changes; when there are so many, none. */
const maxKept = 5_000
/** A server that has not seen yet what its caller saw elsewhere sees it within this, or never will. */
const catchUpMs = 1_000

/** Answers what programs made for Consul ask. The index of an answer, and when a waiting call ends, are as `docs/design/discovery.md` says. */
export class ConsulApi {
  readonly #options: ConsulApiOptions
  readonly #kept = new Map<string, { readonly index: number; readonly answer: Answer }>()
  /** Ends of calls that wait. */
  readonly #waiting = new Set<() => void>()

  constructor(options: ConsulApiOptions) {
    this.#options = options
    options.signal.addEventListener('abort', () => {
      for (const end of this.#waiting) end()
    })
  }

  /** Calls that wait for a change at this moment. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Never throws; what fails is answered. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    try {
      const call = this.#callOf(request)
      const found = this.#route(call)
      if ('topic' in found) {
        const { index, waitMs } = waitOf(call.query)
        if (index === 0 && !isSet(call.query, 'consistent')) this.#sendResult(call, response, this.#read(found))
        else this.#settle(this.#wait(call, response, found, index, waitMs), request, response)
      } else {
        this.#settle(
          found.then((answer) => this.#send(call, response, answer)),
          request,
          response,
        )
      }
    } catch (error) {
      this.#refuse(request, response, error)
    }
  }

  #settle(work: Promise<void>, request: IncomingMessage, response: ServerResponse): void {
    work.catch((error: unknown) => this.#refuse(request, response, error))
  }

  #callOf(request: IncomingMessage): ConsulCall {
    const { url = '/', method = 'GET' } = request
    const at = url.indexOf('?')
    const path = at < 0 ? url : url.slice(0, at)
    const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
    if (!path.startsWith('/v1/')) throw notFound(path)
    const identity = this.#identify(request, query)
    const words = path.slice('/v1/'.length).split('/').map(decoded)
    return { method, path, words, query, identity, request }
  }

  /** Throws `auth.missing` and what is wrong with a token. */
  #identify(request: IncomingMessage, query: URLSearchParams): Identity {
    const { headers, socket } = request
    const own = headers['x-consul-token'] ?? /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
    const token = (Array.isArray(own) ? own[0] : own) || query.get('token') || undefined
    const { anonymous, tokens, limit } = this.#options
    if (token === undefined) {
      if (anonymous === 'read') return { actor: 'anonymous', role: 'viewer' }
      throw new BerthError(
        'auth.missing',
        'this call needs a token of Berth’s: X-Consul-Token: berth_…; an admin makes one with `berth token create`',
      )
    }
    const [address, name] = [socket.remoteAddress ?? '', nameInToken(token) ?? '']
    limit.check(address, name)
    try {
      return identityOf(tokens.authenticate(token))
    } catch (error) {
      limit.failed(address, name)
      throw error
    }
  }

  #route(call: ConsulCall): Promise<Answer> | Query {
    const [area = '', what = ''] = call.words
    if (area === 'kv') return this.#routeKey(call)
    const ofServer = serverAnswer(this.#options, call)
    if (ofServer !== undefined) {
      requireRead(call)
      return Promise.resolve(ofServer)
    }
    const ofAgent = agentAnswer(this.#options.agent, call)
    if (ofAgent !== undefined) return ofAgent
    const queries = area === 'catalog' ? catalogQueries : area === 'health' ? healthQueries : undefined
    const make = queries !== undefined && Object.hasOwn(queries, what) ? queries[what] : undefined
    if (make === undefined) throw whyNot(call)
    requireRead(call)
    const isPlain = what === 'datacenters' || what === 'services' || what === 'nodes'
    if (isPlain !== call.words.length < 3) throw notFound(call.path)
    return make(this.#options, call, call.words.slice(2).join('/'))
  }

  #routeKey(call: ConsulCall): Promise<Answer> | Query {
    const { method, path } = call
    const key = decoded(path.slice('/v1/kv/'.length))
    if (method === 'GET' || method === 'HEAD') {
      requireRead(call)
      if (key === '' && !isSet(call.query, 'recurse') && !isSet(call.query, 'keys'))
        throw new BerthError('kv.invalid-key', 'Missing key name')
      return keyQuery(this.#options.space, key, call)
    }
    if (method !== 'PUT' && method !== 'DELETE') throw wrongMethod(call, 'GET, PUT, DELETE')
    requireRole(call.identity, 'deployer', `${method} /v1/kv`)
    return writeKey(this.#options.keys, key, call)
  }

  /** Kept until its topic has changed. */
  #read(query: Query): { readonly index: number; readonly answer: Answer } {
    const index = query.index()
    const kept = this.#kept.get(query.key)
    if (kept?.index === index) return kept
    const result = { index, answer: query.answer() }
    if (this.#kept.size >= maxKept) this.#kept.clear()
    this.#kept.set(query.key, result)
    return result
  }

  async #wait(
    call: ConsulCall,
    response: ServerResponse,
    query: Query,
    index: number,
    waitMs: number | undefined,
  ): Promise<void> {
    if (isSet(call.query, 'consistent')) await this.#catchUp()
    if (index > 0) {
      await this.#untilChanged(response, query, index, waitMs)
      if (response.destroyed) return
    }
    this.#sendResult(call, response, this.#read(query))
  }

  /** This server is as far as the store. */
  async #catchUp(): Promise<void> {
    const { store, state, signal } = this.#options
    const { revision } = await store.get(keyOf('leaders', 'cluster'), { signal })
    await state.waitFor(revision, { signal })
  }

  /** Returns when the answer is another than the caller knows, the time is up, the caller is gone or the server stops. */
  async #untilChanged(
    response: ServerResponse,
    query: Query,
    index: number,
    waitMs: number | undefined,
  ): Promise<void> {
    const { state, topics, random = Math.random } = this.#options
    // Of another server, which is ahead; or of a store that was replaced: it is told so by an index that goes back.
    if (index > state.revision) await state.waitFor(index, { signal: AbortSignal.timeout(catchUpMs) }).catch(() => {})
    if (index > state.revision) return
    const known = this.#read(query)
    if (known.index > index) return
    const { promise, resolve } = Promise.withResolvers<void>()
    let isOver = false
    const look = (): void => {
      if (isOver) return
      const now = this.#read(query)
      if (isSame(now.answer, known.answer)) stop = topics.next(query.topic, look)
      else resolve()
    }
    let stop = topics.next(query.topic, look)
    const timer = setTimeout(resolve, waitingTimeMs(waitMs, random()))
    response.once('close', resolve)
    this.#waiting.add(resolve)
    try {
      await promise
    } finally {
      isOver = true
      this.#waiting.delete(resolve)
      stop()
      clearTimeout(timer)
      response.off('close', resolve)
    }
  }

  #sendResult(call: ConsulCall, response: ServerResponse, { index, answer }: { index: number; answer: Answer }): void {
    const { state, silentMs } = this.#options
    const isLed = state.leaders.has('cluster')
    // Names are written as Consul writes them: nginx-upsync looks for them letter by letter.
    this.#send(call, response, answer, [
      ...['X-Consul-Index', String(Math.max(1, index)), 'X-Consul-KnownLeader', String(isLed)],
      ...['X-Consul-LastContact', String(Math.round(silentMs())), 'X-Consul-Effective-Consistency', modeOf(call)],
    ])
  }

  #send(call: ConsulCall, response: ServerResponse, answer: Answer, headers: readonly string[] = []): void {
    if (response.destroyed || response.writableEnded) return
    const isPretty = answer.type === 'json' && isSet(call.query, 'pretty')
    const body = isPretty ? `${JSON.stringify(JSON.parse(String(answer.body)), undefined, 4)}\n` : answer.body
    response.writeHead(answer.status, [
      ...['Content-Type', contentTypes[answer.type], 'Content-Length', String(Buffer.byteLength(body))],
      ...['Vary', 'Accept-Encoding', 'X-Content-Type-Options', 'nosniff', ...headers],
    ])
    response.end(call.method === 'HEAD' ? undefined : body)
  }

  /** Consul's failures are plain text. */
  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (response.destroyed || response.headersSent) return
    const { status, message } = refusalOf(error)
    const { log } = this.#options
    const path = (request.url ?? '').split('?')[0]?.slice(0, 200)
    if (!(error instanceof BerthError)) log.error({ err: error, path }, messageOf(error))
    else log.debug({ status, path }, message)
    const { status: code, body } = text(`${message}\n`, status)
    response.writeHead(code, ['Content-Type', contentTypes.text, 'Content-Length', String(Buffer.byteLength(body))])
    response.end(body)
    // What is left of a body that nobody reads.
    if (!request.complete) request.resume()
  }
}

const contentTypes = {
  ...{ json: 'application/json', text: 'text/plain; charset=utf-8', octets: 'application/octet-stream' },
} as const

const modeOf = ({ query }: ConsulCall): string =>
  isSet(query, 'consistent') ? 'consistent' : isSet(query, 'stale') ? 'stale' : 'leader'

/** Without its index: what counts is what it says. */
const isSame = (a: Answer, b: Answer): boolean =>
  a === b ||
  (a.status === b.status && (a.body === b.body || Buffer.compare(Buffer.from(a.body), Buffer.from(b.body)) === 0))

export function requireRead(call: ConsulCall): void {
  if (call.method !== 'GET' && call.method !== 'HEAD') throw wrongMethod(call, 'GET')
  requireRole(call.identity, 'viewer', call.path)
}

export const wrongMethod = ({ method, path }: ConsulCall, allowed: string): BerthError =>
  new BerthError('consul.wrong-method', `${method} ${path}: here only ${allowed} is answered`)

const notFound = (path: string): BerthError =>
  new BerthError('consul.not-found', `there is nothing at ${path.slice(0, 200)} of Consul’s API that Berth answers`)

/** Things of Consul's that Berth has not, and what there is instead. */
const refused: Readonly<Record<string, string>> = {
  session: 'Berth keeps no sessions and no locks; use ?cas= of /v1/kv for what must not be overwritten',
  txn: 'Berth takes no transactions; use ?cas= of /v1/kv',
  query: 'Berth has no prepared queries; ask /v1/health/service with ?passing',
  event: 'Berth has no user events; its own are at /v1/events of Berth’s API',
  connect: 'Berth has no service mesh; who may talk to whom is said by security profiles',
  acl: 'tokens are Berth’s: `berth token create`',
  config: 'Berth has no config entries',
  snapshot: 'use `berth backup`',
  operator: 'use `berth server ls`',
}

function whyNot({ words, path }: ConsulCall): BerthError {
  const [area = '', what] = words
  if (area === 'catalog' && (what === 'register' || what === 'deregister'))
    return new BerthError(
      'consul.refused',
      'the catalog is Berth’s: register services that it does not run at /v1/agent/service/register',
    )
  const why = Object.hasOwn(refused, area) ? refused[area] : undefined
  return why === undefined ? notFound(path) : new BerthError('consul.refused', `${path}: ${why}`)
}

const forbidden = new Set(['auth.missing', 'auth.forbidden'])

function refusalOf(error: unknown): { readonly status: number; readonly message: string } {
  if (!(error instanceof BerthError)) return { status: 500, message: 'the server failed; its log says more' }
  // Programs look for Consul's own words.
  if (forbidden.has(error.code)) return { status: 403, message: `Permission denied: ${error.message}` }
  if (error.code === 'auth.invalid-token' || error.code === 'auth.token-expired')
    return { status: 403, message: `ACL not found: ${error.message}` }
  return { status: statusOf(error.code), message: error.message }
}

function decoded(word: string): string {
  try {
    return decodeURIComponent(word)
  } catch {
    throw new BerthError('consul.invalid-path', 'the address does not decode: write it in UTF-8 and percent signs')
  }
}
