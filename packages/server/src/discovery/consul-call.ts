import { BerthError, parseGoDuration, parseIndex } from '@berth/core'
import type { Identity } from '../auth/identity.ts'

/** A request, taken apart. */
export interface ConsulCall {
  readonly method: string
  /** `/v1/health/service/web`, not decoded. */
  readonly path: string
  /** What is behind `/v1/`, decoded: `health`, `service`, `web`. */
  readonly words: readonly string[]
  readonly query: URLSearchParams
  readonly identity: Identity
  /** Of the caller. */
  readonly address: () => string
  readonly body: AsyncIterable<Buffer>
}

/** `json` is complete text; others are sent as they are. */
export interface Answer {
  readonly status: number
  readonly type: 'json' | 'text' | 'octets'
  readonly body: string | Buffer
}

/** A reading: its answer changes with one topic. */
export interface Query {
  /** Equal keys have equal answers. */
  readonly key: string
  readonly topic: string
  /** At which its answer last changed, as far as its topic tells. */
  index(): number
  answer(): Answer
}

export const json = (value: unknown, status = 200): Answer => ({ status, type: 'json', body: JSON.stringify(value) })
export const text = (body: string, status = 200): Answer => ({ status, type: 'text', body })

/** A parameter that is there: `?passing`, `?passing=true`, `?passing=1`; not `?passing=false`. */
export function isSet(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  return value !== null && value !== 'false' && value !== '0'
}

/** Throws `consul.invalid-index`, `consul.invalid-wait`. An index of 0: do not wait. */
export function waitOf(query: URLSearchParams): { readonly index: number; readonly waitMs: number | undefined } {
  const index = parseIndex(query.get('index') ?? undefined)
  if (index === undefined)
    throw new BerthError('consul.invalid-index', 'Invalid index: send the number of an answer’s X-Consul-Index')
  const asked = query.get('wait')
  if (asked === null || asked === '') return { index, waitMs: undefined }
  const waitMs = parseGoDuration(asked) ?? (/^[0-9]+$/.test(asked) ? Number(asked) * 1_000 : undefined)
  if (waitMs === undefined) throw new BerthError('consul.invalid-wait', 'Invalid wait time: write it as 10s or 5m')
  return { index, waitMs }
}

/** A whole number of a parameter; undefined: it is not there. Throws `consul.invalid-number`. */
export function numberOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (value === null || value === '') return undefined
  if (/^[0-9]{1,20}$/.test(value)) return Number(value)
  throw new BerthError('consul.invalid-number', `?${name}=${value.slice(0, 40)}: a whole number is expected`)
}

/** The whole body. Throws `consul.too-large`. */
export async function readBody(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes)
      throw new BerthError(
        'consul.too-large',
        `the body is larger than ${maxBytes} bytes, which are the most that is taken here`,
      )
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
