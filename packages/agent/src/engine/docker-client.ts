import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BerthError } from '@berth/core'
import type { Logger } from 'pino'
import { engineError, timeoutError, transportError } from './engine-error.ts'

/** The newest version of Docker's API that the tests ran with, and the oldest that has all that is used. */
const newestApi = '1.50'
const oldestApi = '1.41'
const maxErrorBytes = 64 * 1024

export interface DockerCall {
  /** What is attempted on what, the beginning of every error's sentence. */
  readonly action: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Until the whole answer is here; for streams until its head is. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Docker's HTTP API over its unix socket. The API version is negotiated at the first call and again after every lost connection:
 * the daemon's, or the newest tested where that is lower.
 */
export class DockerClient implements AsyncDisposable {
  readonly socketPath: string
  readonly #log: Logger
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 4 })
  #version: Promise<string> | undefined

  constructor(socketPath: string, log: Logger) {
    this.socketPath = socketPath
    this.#log = log
  }

  /** The API version in use. */
  version(signal?: AbortSignal): Promise<string> {
    this.#version ??= this.#negotiate().catch((error: unknown) => {
      this.#version = undefined
      throw error
    })
    return withSignal(this.#version, signal)
  }

  /** Asks the daemon whether it lives, on a connection of its own. */
  async ping(timeoutMs: number, signal?: AbortSignal): Promise<string> {
    const call: DockerCall = { action: 'ping Docker', method: 'GET', path: '/_ping', timeoutMs, signal }
    const deadline = this.#deadline(call)
    try {
      const response = await this.#send(call, '/_ping', { fresh: true, deadline })
      await readAll(response, maxErrorBytes)
      return String(response.headers['api-version'] ?? '')
    } catch (error) {
      throw this.#failure(call, error, deadline)
    } finally {
      deadline.clear()
    }
  }

  async json<T>(call: DockerCall): Promise<T> {
    const deadline = this.#deadline(call)
    try {
      const response = await this.#send(call, await this.#pathOf(call), { deadline })
      const text = (await readAll(response)).toString('utf8')
      return (text === '' ? undefined : JSON.parse(text)) as T
    } catch (error) {
      throw this.#failure(call, error, deadline)
    } finally {
      deadline.clear()
    }
  }

  /** The answer's body as it comes. The caller must read it to its end or destroy it. */
  async stream(call: DockerCall, body?: Readable): Promise<IncomingMessage> {
    const deadline = this.#deadline(call)
    try {
      const options = { fresh: true, deadline, ...(body === undefined ? {} : { body }) }
      return await this.#send(call, await this.#pathOf(call), options)
    } catch (error) {
      throw this.#failure(call, error, deadline)
    } finally {
      deadline.clear()
    }
  }

  /** Takes the connection over for raw bytes both ways. */
  async hijack(call: DockerCall): Promise<Duplex> {
    const deadline = this.#deadline(call)
    try {
      const path = await this.#pathOf(call)
      return await new Promise<Duplex>((resolve, reject) => {
        const req = this.#open(call, path, { upgrade: true, fresh: true, deadline }, reject)
        req.once('upgrade', (_response, socket, head) => {
          if (head.length > 0) socket.unshift(head)
          resolve(socket)
        })
        req.once('response', (response) => void failed(call, response).then(reject, reject))
      })
    } catch (error) {
      throw this.#failure(call, error, deadline)
    } finally {
      deadline.clear()
    }
  }

  /** Forgets connections and version; the next call finds out anew whom it talks to. */
  reset(): void {
    this.#version = undefined
    this.#agent.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
  }

  async #negotiate(): Promise<string> {
    const daemon = await this.ping(10_000)
    if (!/^\d+\.\d+$/.test(daemon) || compareVersions(daemon, oldestApi) < 0) {
      throw new BerthError(
        'engine.too-old',
        `connect to Docker at ${this.socketPath}: its API is ${daemon || 'unknown'}, Berth needs ${oldestApi} (Docker 20.10) or newer; update Docker Engine`,
      )
    }
    const version = compareVersions(daemon, newestApi) < 0 ? daemon : newestApi
    this.#log.info({ daemon, version }, 'negotiated the version of Docker’s API')
    return version
  }

  async #pathOf(call: DockerCall): Promise<string> {
    const version = await this.version(call.signal)
    const query = new URLSearchParams()
    for (const [key, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) query.set(key, String(value))
    }
    const text = query.toString()
    return `/v${version}${call.path}${text === '' ? '' : `?${text}`}`
  }

  /** Resolves with the head of a good answer; a bad one is read and thrown. */
  async #send(call: DockerCall, path: string, options: SendOptions): Promise<IncomingMessage> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      this.#open(call, path, options, reject).once('response', resolve)
    })
    if ((response.statusCode ?? 500) >= 400) throw await failed(call, response)
    return response
  }

  #open(call: DockerCall, path: string, options: SendOptions, reject: (error: unknown) => void): ClientRequest {
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body))
    const headers: Record<string, string | number> = { Host: 'docker', ...call.headers }
    if (body !== undefined)
      Object.assign(headers, { 'Content-Type': 'application/json', 'Content-Length': body.length })
    if (options.body !== undefined) headers['Content-Type'] = 'application/x-tar'
    if (options.upgrade === true) Object.assign(headers, { Connection: 'Upgrade', Upgrade: 'tcp' })
    const req = request({
      socketPath: this.socketPath,
      agent: options.fresh === true ? false : this.#agent,
      method: call.method,
      path,
      headers,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    })
    options.deadline.onExpire = (error) => req.destroy(error)
    req.once('error', reject)
    if (options.body === undefined) req.end(body)
    // The answer may come, and be an error, before the body is through: its error is the one that counts.
    else pipeline(options.body, req).catch((error: unknown) => reject(error))
    return req
  }

  #deadline(call: DockerCall): Deadline {
    return new Deadline(call.timeoutMs === undefined ? undefined : { action: call.action, timeoutMs: call.timeoutMs })
  }

  #failure(call: DockerCall, error: unknown, deadline: Deadline): unknown {
    const failure = deadline.error ?? transportError(call.action, this.socketPath, error, call.signal)
    if (failure instanceof BerthError && failure.code === 'engine.unreachable') this.#version = undefined
    return failure
  }
}

interface SendOptions {
  /** A connection of its own instead of a pooled one. */
  readonly fresh?: boolean
  readonly upgrade?: boolean
  readonly body?: Readable
  readonly deadline: Deadline
}

class Deadline {
  onExpire: ((error: BerthError) => void) | undefined
  error: BerthError | undefined
  readonly #timer: NodeJS.Timeout | undefined

  constructor(limit: { readonly action: string; readonly timeoutMs: number } | undefined) {
    if (limit === undefined) return
    this.#timer = setTimeout(() => {
      this.error = timeoutError(limit.action, limit.timeoutMs)
      this.onExpire?.(this.error)
    }, limit.timeoutMs)
  }

  clear(): void {
    clearTimeout(this.#timer)
  }
}

/** Waits for something shared without ending it for the others when one of them gives up. */
async function withSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  signal.throwIfAborted()
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop)
  }
}

export async function readAll(stream: Readable, maxBytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxBytes) break
  }
  return Buffer.concat(chunks)
}

async function failed(call: DockerCall, response: IncomingMessage): Promise<BerthError> {
  const text = (await readAll(response, maxErrorBytes)).toString('utf8')
  return engineError(call.action, response.statusCode ?? 500, messageIn(text) || `HTTP ${response.statusCode}`)
}

function messageIn(text: string): string {
  try {
    const body: unknown = JSON.parse(text)
    return String((body as { message?: unknown }).message ?? text)
  } catch {
    return text
  }
}

export function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number)
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number)
  return leftMajor - rightMajor || leftMinor - rightMinor
}
