import type { ServerHttp2Stream } from 'node:http2'
import type { ErrorBody } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'

/** One stream of the link. */
export interface AgentRequest {
  readonly stream: ServerHttp2Stream
  readonly query: URLSearchParams
  /** Aborts when the server has closed the stream or the link is gone. */
  readonly signal: AbortSignal
}

export function respondJson(stream: ServerHttp2Stream, status: number, body: unknown): void {
  if (stream.destroyed || stream.headersSent) return
  stream.respond({ ':status': status, 'content-type': 'application/json' })
  stream.end(JSON.stringify(body))
}

/** Once the head is sent an error can only break the stream. */
export function respondError(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed) return
  if (stream.headersSent) {
    stream.close(internalError)
    return
  }
  const { code, retryable, details } =
    error instanceof BerthError ? error : { code: 'agent.failed', retryable: false, details: {} }
  const body: ErrorBody = { error: { code, message: messageOf(error), retryable, details } }
  respondJson(stream, statusOf(code), body)
}

const internalError = 2

const statuses: Readonly<Record<string, number>> = {
  'not-found': 404,
  'image-missing': 404,
  'image-unavailable': 404,
  'not-running': 409,
  'invalid-request': 400,
  unreachable: 503,
  timeout: 504,
  'disk-full': 507,
}

const statusOf = (code: string): number => statuses[code.slice(code.indexOf('.') + 1)] ?? 500

export function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new BerthError('request.invalid-request', `${name}=${text} must be a whole number`)
}
