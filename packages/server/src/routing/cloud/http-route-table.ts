import { BerthError, type CloudRoute, formatBlock, messageOf, parseBlock, tryParseAddress } from '@berth/core'
import type { CallOptions, CloudRouteTable } from './cloud-route-table.ts'

export interface HttpRouteTableOptions {
  readonly name: string
  /** `https://routes.example/vpc-1`; `/routes` is appended. */
  readonly url: string
  readonly token?: string | undefined
  readonly timeoutMs?: number
}

const largestAnswer = 4 * 1024 * 1024
const usualWaitMs = 5_000
const longestWaitMs = 600_000

/** A route table behind a small HTTP service; `docs/guides/network.md` says what that has to answer. */
export class HttpRouteTable implements CloudRouteTable {
  readonly #options: HttpRouteTableOptions

  constructor(options: HttpRouteTableOptions) {
    this.#options = options
  }

  async list(options: CallOptions): Promise<readonly CloudRoute[]> {
    const body = await this.#call('list the routes', 'GET', '/routes', undefined, options)
    const routes = (body as { readonly routes?: unknown } | undefined)?.routes
    const read = Array.isArray(routes) ? routes.map(routeOf) : [undefined]
    // An entry that cannot be read may be anybody's: nothing is decided on half a list.
    if (read.some((route) => route === undefined))
      throw this.#error('refused', 'list the routes', 'the answer is not {"routes": [{"destination", "nextHop"}, …]}')
    return read as CloudRoute[]
  }

  async put(route: Required<CloudRoute>, options: CallOptions): Promise<void> {
    const { destination, nextHop, owner } = route
    const path = `/routes/${encodeURIComponent(destination)}`
    await this.#call(`put ${destination} via ${nextHop}`, 'PUT', path, { nextHop, owner }, options)
  }

  async remove({ destination, owner }: Pick<Required<CloudRoute>, 'destination' | 'owner'>, options: CallOptions) {
    const path = `/routes/${encodeURIComponent(destination)}?owner=${encodeURIComponent(owner)}`
    await this.#call(`remove ${destination}`, 'DELETE', path, undefined, options)
  }

  async #call(what: string, method: string, path: string, body: object | undefined, { signal }: CallOptions) {
    const { url, token, timeoutMs = 15_000 } = this.#options
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    try {
      const answer = await fetch(`${url.replace(/\/+$/, '')}${path}`, {
        ...{ method, signal: limit, redirect: 'error' },
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await readLimited(answer)
      if (method === 'DELETE' && answer.status === 404) return undefined
      if (!answer.ok) throw this.#refusal(what, answer, text)
      return text === '' ? undefined : (JSON.parse(text) as unknown)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof BerthError) throw error
      if (error instanceof SyntaxError) throw this.#error('refused', what, 'the answer is no JSON')
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      throw this.#error('unreachable', what, messageOf(cause), { retryAfterMs: usualWaitMs })
    }
  }

  #refusal(what: string, { status, headers }: Response, text: string): BerthError {
    const said = saidIn(text) ?? `it answers ${status}`
    if (status === 429) return this.#error('rate-limited', what, said, { retryAfterMs: waitOf(headers) })
    if (status === 401 || status === 403) return this.#error('forbidden', what, said)
    if (status === 409) return this.#error('foreign', what, said)
    if (status === 507) return this.#error('quota', what, said)
    if (status >= 500) return this.#error('unreachable', what, said, { retryAfterMs: waitOf(headers) })
    return this.#error('refused', what, said)
  }

  #error(reason: keyof typeof codes, what: string, said: string, details: { retryAfterMs?: number } = {}): BerthError {
    const text = `${what} in the route table ${this.#options.name} (${this.#options.url}): ${said}; ${hints[reason]}`
    return new BerthError(codes[reason], text, { retryable: details.retryAfterMs !== undefined, details })
  }
}

const codes = {
  'rate-limited': 'cloud-routes.rate-limited',
  forbidden: 'cloud-routes.forbidden',
  foreign: 'cloud-routes.foreign',
  quota: 'cloud-routes.quota',
  unreachable: 'cloud-routes.unreachable',
  refused: 'cloud-routes.refused',
} as const

const hints: Readonly<Record<keyof typeof codes, string>> = {
  'rate-limited': 'it is tried again',
  forbidden: 'give it a token that may change this table (berth net cloud set --token)',
  foreign: 'it is somebody else’s entry: remove it there, or give the node another block',
  quota: 'ask the provider for more entries, or remove nodes',
  unreachable: 'it is tried again',
  refused: 'look at the service’s own log',
}

function routeOf(value: unknown): CloudRoute | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { destination, nextHop, owner } = value as Readonly<Record<string, unknown>>
  if (typeof destination !== 'string' || typeof nextHop !== 'string') return undefined
  if (owner !== undefined && owner !== null && typeof owner !== 'string') return undefined
  return { destination: inOneForm(destination), nextHop, ...(typeof owner === 'string' ? { owner } : {}) }
}

/** What is no IPv4 block is somebody else's in any case. */
function inOneForm(destination: string): string {
  const text = tryParseAddress(destination) === undefined ? destination : `${destination}/32`
  try {
    return formatBlock(parseBlock(text))
  } catch {
    return destination
  }
}

async function readLimited(answer: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of answer.body ?? []) {
    size += part.byteLength
    if (size > largestAnswer) throw new Error(`its answer is larger than ${largestAnswer} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function saidIn(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown }
    return typeof message === 'string' ? message.replace(/[^\x20-\x7e]/g, ' ').slice(0, 300) : undefined
  } catch {
    return undefined
  }
}

function waitOf(headers: Headers): number {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, longestWaitMs) : usualWaitMs
}
