import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { respondError } from './agent-request.ts'
import { handle } from './handlers.ts'
import type { LinkServices } from './link-services.ts'

/** What is taken in before it was read, per stream and for the whole link. */
const streamWindowBytes = 1024 * 1024
const linkWindowBytes = 8 * 1024 * 1024
const maxWordsBytes = 2048

export interface PingTimes {
  readonly intervalMs: number
  readonly timeoutMs: number
}

/**
 * Serves HTTP/2 on a socket that the agent dialled, until it is closed or nobody answers its pings any more. Returns why the server has
 * ended it, where it said so.
 */
export async function serveLink(
  socket: TLSSocket,
  services: LinkServices,
  options: { readonly log: Logger; readonly ping: PingTimes; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { log, ping, signal } = options
  let why: string | undefined
  const session = performServerHandshake(socket, {
    settings: { initialWindowSize: streamWindowBytes, enablePush: false },
  })
  session.setLocalWindowSize(linkWindowBytes)
  const closed = new Promise<void>((resolve) => session.once('close', () => resolve()))
  session.on('error', (error) => log.debug({ reason: messageOf(error) }, 'the link failed'))
  session.on('goaway', (_code, _last, words?: Buffer) => {
    // The end of the session is another one, without words.
    if (words !== undefined && words.length > 0) why ??= words.subarray(0, maxWordsBytes).toString()
  })
  session.on('stream', (stream, headers) => {
    const target = new URL(String(headers[':path']), 'http://agent')
    void serveStream(services, stream, String(headers[':method']), target, log)
  })
  const stopPings = watchPings(session, ping, log)
  const abort = (): void => session.destroy()
  signal.addEventListener('abort', abort, { once: true })
  try {
    if (signal.aborted) abort()
    await closed
    return why
  } finally {
    stopPings()
    signal.removeEventListener('abort', abort)
  }
}

async function serveStream(
  services: LinkServices,
  stream: ServerHttp2Stream,
  method: string,
  target: URL,
  log: Logger,
): Promise<void> {
  const gone = new AbortController()
  stream.once('close', () => gone.abort(new Error('the server has closed the stream')))
  // Without a listener a broken stream would end the process; whoever reads or writes it learns of it.
  stream.on('error', () => undefined)
  try {
    await handle(services, method, target.pathname, { stream, query: target.searchParams, signal: gone.signal })
  } catch (error) {
    if (gone.signal.aborted) return
    log.info({ method, path: target.pathname, reason: messageOf(error) }, 'refused a request')
    respondError(stream, error)
  }
}

/** A server that is gone without a word (a cut cable, a stopped machine) is found out by its silence. */
function watchPings(session: ServerHttp2Session, { intervalMs, timeoutMs }: PingTimes, log: Logger): () => void {
  let limit: NodeJS.Timeout | undefined
  const timer = setInterval(() => {
    if (session.destroyed || limit !== undefined) return
    limit = setTimeout(() => {
      log.warn('the server does not answer any more')
      session.destroy()
    }, timeoutMs)
    session.ping(() => {
      clearTimeout(limit)
      limit = undefined
    })
  }, intervalMs)
  return () => {
    clearInterval(timer)
    clearTimeout(limit)
  }
}
