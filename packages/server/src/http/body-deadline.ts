import type { IncomingMessage } from 'node:http'

/** A document comes within this time; who needs no token gets less. */
const documentMs = 60_000
const strangerMs = 10_000

export interface BodyDeadlineOptions {
  /** Calls that anybody may make. */
  readonly isOpen: boolean
  readonly documentMs?: number
  readonly strangerMs?: number
}

/**
 * Cuts a call whose body drips: it holds a connection, and memory, for nothing. Uploads of bytes have only the server's own time limit,
 * since a repository may be large and a line slow.
 */
export function limitBodyTime(request: IncomingMessage, options: BodyDeadlineOptions): void {
  const { method, headers } = request
  if (method === 'GET' || method === 'HEAD' || headers.upgrade !== undefined) return
  if (headers['content-type'] === 'application/octet-stream' && !options.isOpen) return
  const limitMs = options.isOpen ? (options.strangerMs ?? strangerMs) : (options.documentMs ?? documentMs)
  const timer = setTimeout(() => {
    if (!request.complete) request.destroy(new Error(`no whole body within ${limitMs / 1000} s`))
  }, limitMs)
  const clear = (): void => clearTimeout(timer)
  request.once('end', clear)
  request.once('close', clear)
}
