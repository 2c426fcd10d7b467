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
import { type Asked, Outgoing, type Reply } from './consul-exchange.ts'
import { keyQuery, writeKey } from './key-queries.ts'
import type { KeySpace } from './key-space.ts'
import type { Keys } from './keys.ts'
import { serverAnswer } from './server-paths.ts'
import { type Result, WaitingCalls } from './waiting-calls.ts'

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
  readonly #kept = new Map<string, Result>()
  readonly #waiting: WaitingCalls
  #lastUrl: UrlParts | undefined

  constructor(options: ConsulApiOptions) {
    this.#options = options
    this.#waiting = new WaitingCalls({
      topics: options.topics,
      read: (query) => this.#read(query),
      write: (form, result) => this.#written(form, result),
    })
    options.signal.addEventListener('abort', () => {
      this.#waiting.end()
      this.#waiting[Symbol.dispose]()
    })
  }

  /** Calls that wait for a change at this moment. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Of {@link WaitingCalls}. */
  get tellingSince(): number | undefined {
    return this.#waiting.tellingSince
  }

  /** Never throws; what fails is answered. */
  handle(asked: Asked, reply: Reply): void {
    try {
      const call = this.#callOf(asked)
      const found = this.#route(call)
      if ('topic' in found) this.#answerQuery(call, asked, reply, found)
      else
        this.#settle(
          found.then((answer) => reply.send(outgoing(answer))),
          asked,
          reply,
        )
    } catch (error) {
      this.#refuse(asked, reply, error)
    }
  }

  #settle(work: Promise<void>, asked: Asked, reply: Reply): void {
    work.catch((error: unknown) => this.#refuse(asked, reply, error))
  }

  #callOf(asked: Asked): ConsulCall {
    const { url, method, address, body } = asked
    // Thousands who wait for one thing ask in the same words.
    if (this.#lastUrl?.url !== url) this.#lastUrl = takeApart(url)
    const { path, query, words } = this.#lastUrl
    if (!path.startsWith('/v1/')) throw notFound(path)
    const identity = this.#identify(asked, query)
    return { method, path, words, query, identity, address, body }
  }

  /** Throws `auth.missing` and what is wrong with a token. */
  #identify({ headers, address }: Asked, query: URLSearchParams): Identity {
    const own = headers['x-consul-token'] ?? /^Bearer +(\S+)$/i.exec(String(headers.authorization ?? ''))?.[1]
    const token = (typeof own === 'object' ? own[0] : own) || query.get('token') || undefined
    const { anonymous, tokens, limit } = this.#options
    if (token === undefined) {
      if (anonymous === 'read') return { actor: 'anonymous', role: 'viewer' }
      throw new BerthError(
        'auth.missing',
        'this call needs a token of Berth’s: X-Consul-Token: berth_…; an admin makes one with `berth token create`',
      )
    }
    const name = nameInToken(token) ?? ''
    limit.check(address(), name)
    try {
      return identityOf(tokens.authenticate(token))
    } catch (error) {
      limit.failed(address(), name)
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
    requireRole(call.identity, 'deployer', method === 'PUT' ? 'set a key' : 'remove keys')
    return writeKey(this.#options.keys, key, call)
  }

  /** Kept until its topic has changed. */
  #read(query: Query): Result {
    const index = query.index()
    const kept = this.#kept.get(query.key)
    if (kept?.index === index) return kept
    const result = { index, answer: query.answer() }
    if (this.#kept.size >= maxKept) this.#kept.clear()
    this.#kept.set(query.key, result)
    return result
  }

  #answerQuery(call: ConsulCall, asked: Asked, reply: Reply, query: Query): void {
    const { index, waitMs } = waitOf(call.query)
    const isConsistent = isSet(call.query, 'consistent')
    // A server that has not seen yet what its caller saw elsewhere.
    if (isConsistent || index > this.#options.state.revision)
      this.#settle(
        this.#catchUp(index, isConsistent).then(() => this.#answerOrWait(call, reply, query, index, waitMs)),
        asked,
        reply,
      )
    else this.#answerOrWait(call, reply, query, index, waitMs)
  }

  #answerOrWait(call: ConsulCall, reply: Reply, query: Query, index: number, waitMs: number | undefined): void {
    const { state, random = Math.random, signal } = this.#options
    if (reply.isOver) return
    const result = this.#read(query)
    const form = formOf(call)
    // An index that is still ahead is of a store that was replaced: the caller is told so by one that goes back.
    const isKnown = index > 0 && index <= state.revision && result.index <= index
    if (isKnown && !signal.aborted) this.#waiting.add(query, form, reply, waitingTimeMs(waitMs, random()))
    else reply.send(this.#written(form, result))
  }

  /** Up to what the caller knows from elsewhere, as long as that may come; and where it wants that, as far as the store. */
  async #catchUp(index: number, isConsistent: boolean): Promise<void> {
    const { store, state, signal } = this.#options
    if (isConsistent) {
      const { revision } = await store.get(keyOf('leaders', 'cluster'), { signal })
      await state.waitFor(revision, { signal })
    }
    if (index > state.revision) await state.waitFor(index, { signal: AbortSignal.timeout(catchUpMs) }).catch(() => {})
  }

  /** Names of headers are written as Consul writes them: nginx-upsync looks for them letter by letter. */
  #written(form: string, { index, answer }: Result): Outgoing {
    const { state, silentMs } = this.#options
    const [mode = '', isPretty] = form.split(' ')
    const body =
      isPretty !== undefined && answer.type === 'json'
        ? `${JSON.stringify(JSON.parse(String(answer.body)), undefined, 4)}\n`
        : answer.body
    return outgoing({ ...answer, body }, [
      ...['X-Consul-Index', String(Math.max(1, index)), 'X-Consul-KnownLeader', String(state.leaders.has('cluster'))],
      ...['X-Consul-LastContact', String(Math.round(silentMs())), 'X-Consul-Effective-Consistency', mode],
    ])
  }

  /** Consul's failures are plain text. */
  #refuse(asked: Asked, reply: Reply, error: unknown): void {
    if (reply.isOver) return
    const { status, message } = refusalOf(error)
    const { log } = this.#options
    const path = asked.url.split('?')[0]?.slice(0, 200)
    if (!(error instanceof BerthError)) log.error({ err: error, path }, messageOf(error))
    else log.debug({ status, path }, message)
    reply.send(outgoing(text(`${message}\n`, status)))
  }
}

interface UrlParts extends Pick<ConsulCall, 'path' | 'query' | 'words'> {
  readonly url: string
}

function takeApart(url: string): UrlParts {
  const at = url.indexOf('?')
  const path = at < 0 ? url : url.slice(0, at)
  const words = path.slice('/v1/'.length).split('/').map(decoded)
  return { url, path, query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)), words }
}

const contentTypes = {
  ...{ json: 'application/json', text: 'text/plain; charset=utf-8', octets: 'application/octet-stream' },
} as const

const modeOf = ({ query }: ConsulCall): string =>
  isSet(query, 'consistent') ? 'consistent' : isSet(query, 'stale') ? 'stale' : 'leader'

const outgoing = ({ status, type, body }: Answer, headers: readonly string[] = []): Outgoing =>
  new Outgoing(
    status,
    ['Content-Type', contentTypes[type], 'Vary', 'Accept-Encoding', 'X-Content-Type-Options', 'nosniff', ...headers],
    body,
  )

/** What of a result's writing the caller decides: its mode, and whether it is for people. */
const formOf = (call: ConsulCall): string => (isSet(call.query, 'pretty') ? `${modeOf(call)} pretty` : modeOf(call))

export function requireRead(call: ConsulCall): void {
  if (call.method !== 'GET' && call.method !== 'HEAD') throw wrongMethod(call, 'GET')
  requireRole(call.identity, 'viewer', 'read keys')
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
