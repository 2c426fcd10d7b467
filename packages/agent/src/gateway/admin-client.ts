import { Agent, request } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, messageOf } from '@berth/core'
import type { CallOptions } from './gateway.ts'

/** What every worker tells of its peers. */
export interface InflightAnswer {
  readonly version: number
  readonly inflight: Readonly<Record<string, number>>
}

export interface CountersAnswer {
  readonly version: number
  /** Of the worker. */
  readonly pid: number
  /** There are more that have changed. */
  readonly more?: boolean
  readonly rows: readonly CounterRow[]
}

export interface CounterRow {
  readonly route: string
  readonly pool: string
  readonly instance: string
  readonly endpoint: string
  readonly inflight: number
  readonly failures: number
  readonly lost: number
  readonly classes: readonly number[]
  readonly buckets: readonly number[]
  readonly latency: number
  /** When the worker began to count it: one that it has forgotten meanwhile begins anew. */
  readonly since: number
}

export interface StatusReply<Answer> {
  readonly configuration: string
  readonly workers: number
  /** Workers that did not answer in time. */
  readonly missing: number
  /** Workers that could not read the table in force. */
  readonly refusals: number
  readonly answers: readonly Answer[]
  readonly kept: readonly string[]
  readonly reloads: number
}

const defaultTimeoutMs = 12_000
const reloadMs = 5_000
const pollMs = 20

/**
 * The other end of `berth_admin.lua`. Throws `gateway.not-running` when nobody listens at the socket. Between two calls it keeps its
 * connection, so that the end of the process at the other side is known at once.
 */
export class AdminClient implements Disposable {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true })
  readonly #watched = new WeakSet<Socket>()
  readonly #listeners = new Set<() => void>()

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  onEnd(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  [Symbol.dispose](): void {
    this.#listeners.clear()
    this.#agent.destroy()
  }

  /** From its return on every worker routes by the table. Throws `gateway.apply-failed`. */
  async putTable(text: string, options: CallOptions = {}): Promise<void> {
    const { status, body } = await this.#call('PUT', '/table', text, options)
    if (status === 200) return
    throw new BerthError('gateway.apply-failed', `apply a table to the gateway: ${reasonOf(status, body)}`, {
      retryable: status >= 500,
    })
  }

  /** The same by what has changed. False: nginx has another table than the one that it has changed of. Throws `gateway.apply-failed`. */
  async putChanges(text: string, options: CallOptions = {}): Promise<boolean> {
    const { status, body } = await this.#call('PUT', '/changes', text, options)
    if (status === 200 || status === 412) return status === 200
    throw new BerthError('gateway.apply-failed', `change the table of the gateway: ${reasonOf(status, body)}`, {
      retryable: status >= 500,
    })
  }

  /** Empty when no table was ever applied. */
  async getTable(options: CallOptions = {}): Promise<string> {
    return (await this.#get('/table', options)).body
  }

  async inflight(options: CallOptions = {}): Promise<StatusReply<InflightAnswer>> {
    return withArrays(JSON.parse((await this.#get('/inflight', options)).body))
  }

  /** `changed`: as {@link Gateway.counts} has it. */
  async counters(
    options: CallOptions & { readonly changed?: 'since' | 'anew' } = {},
  ): Promise<StatusReply<CountersAnswer>> {
    const path = { since: '/changes', anew: '/changes-anew', all: '/counters' }[options.changed ?? 'all']
    const reply = withArrays<CountersAnswer>(JSON.parse((await this.#get(path, options)).body))
    return { ...reply, answers: reply.answers.map((answer) => ({ ...answer, rows: arrayOf(answer.rows) })) }
  }

  async #get(path: string, options: CallOptions): Promise<Reply> {
    const reply = await this.#call('GET', path, '', options)
    if (reply.status === 200) return reply
    throw new BerthError('gateway.not-running', `ask the gateway for ${path}: ${reasonOf(reply.status, reply.body)}`, {
      retryable: true,
    })
  }

  /** For a moment after a reload an old worker may answer, which only says that it is one. */
  async #call(method: string, path: string, body: string, options: CallOptions): Promise<Reply> {
    const deadline = Date.now() + reloadMs
    for (;;) {
      const reply = await this.#callOnce(method, path, body, options)
      if (reply.status !== 409 || Date.now() > deadline) return reply
      await delay(pollMs, undefined, { signal: options.signal })
    }
  }

  #callOnce(method: string, path: string, body: string, options: CallOptions): Promise<Reply> {
    const timeout = AbortSignal.timeout(defaultTimeoutMs)
    const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const headers = { 'content-length': Buffer.byteLength(body) }
    const target = { socketPath: this.#socketPath, method, path, headers, signal, agent: this.#agent }
    const call = request(target, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
    })
    call.on('error', reject)
    call.once('socket', (socket) => this.#watch(socket))
    call.end(body)
    return promise.catch((cause) => {
      options.signal?.throwIfAborted()
      throw notRunning(`${method} ${path}`, this.#socketPath, cause)
    })
  }

  #watch(socket: Socket): void {
    if (this.#watched.has(socket)) return
    this.#watched.add(socket)
    socket.once('close', () => {
      for (const listener of this.#listeners) listener()
    })
  }
}

interface Reply {
  readonly status: number
  readonly body: string
}

function notRunning(what: string, socketPath: string, cause: unknown): BerthError {
  return new BerthError(
    'gateway.not-running',
    `ask the gateway (${what}): nginx does not answer at ${socketPath}: ${messageOf(cause)}`,
    { retryable: true, cause },
  )
}

function reasonOf(status: number, body: string): string {
  const error = parse(body)?.error
  return typeof error === 'string' ? error : `nginx answered ${status}`
}

function parse(body: string): { error?: unknown } | undefined {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** Lua has one kind of table: an empty list arrives as `{}`. */
const arrayOf = <T>(value: readonly T[] | object): readonly T[] => (Array.isArray(value) ? value : [])

function withArrays<Answer>(reply: StatusReply<Answer>): StatusReply<Answer> {
  return { ...reply, answers: arrayOf(reply.answers), kept: arrayOf(reply.kept) }
}
