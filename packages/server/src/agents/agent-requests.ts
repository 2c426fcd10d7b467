import { once } from 'node:events'
import { type ClientHttp2Stream, constants } from 'node:http2'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type {
  AgentConfigPlan,
  BuildEvent,
  BuildRequest,
  CertificateDelivery,
  CertificateRequest,
  ConfigOrder,
  CoreReport,
  LogLine,
  MetricsView,
  ReachTarget,
  ResolveImageRequest,
  UsageReport,
} from '@berth/api'
import { BerthError, type NodeConfig } from '@berth/core'
import { type AgentLink, answerOf, failureOf, type RequestOptions } from './agent-link.ts'
import { readBoundedLines } from './bounded-lines.ts'
import { decodeFrames, encodeFrame } from './length-framing.ts'

const maxLineBytes = 1_048_576
const maxDocumentBytes = 16_777_216

export interface SignalOptions {
  readonly signal?: AbortSignal | undefined
}

export interface LogOptions extends SignalOptions {
  readonly follow?: boolean | undefined
  readonly tail?: number | undefined
  readonly sinceMs?: number | undefined
}

export interface ExecOptions extends SignalOptions {
  readonly command: readonly string[]
  readonly tty?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** Frames of `exec-frames.ts`, both ways. */
export interface ExecStream {
  /** Ends after the `exit` (or `error`) frame; breaking out of it cuts the command's connection. */
  readonly frames: AsyncIterable<Uint8Array>
  /** Resolves when the agent can take more. */
  send(frame: Uint8Array): Promise<void>
  close(): void
}

export async function* readLogs(link: AgentLink, instance: string, options: LogOptions): AsyncGenerator<LogLine> {
  const path = `/v1/instances/${encodeURIComponent(instance)}/logs${queryOf({
    follow: options.follow === true ? 'true' : undefined,
    tail: options.tail,
    sinceMs: options.sinceMs,
  })}`
  const stream = link.open({ method: 'GET', path, endStream: true, signal: options.signal })
  for await (const line of documentsOf<LogLine>(link, stream, options)) yield { ...line, instance }
}

export const openExec = (link: AgentLink, instance: string, options: ExecOptions): Promise<ExecStream> =>
  openCommand(link, `/v1/instances/${encodeURIComponent(instance)}/exec`, options)

/** On the node itself. */
export const openNodeExec = (link: AgentLink, options: ExecOptions): Promise<ExecStream> =>
  openCommand(link, '/v1/exec', options)

async function openCommand(link: AgentLink, place: string, options: ExecOptions): Promise<ExecStream> {
  const query = new URLSearchParams()
  if (options.tty === true) query.set('tty', 'true')
  if (options.columns !== undefined) query.set('columns', String(options.columns))
  if (options.rows !== undefined) query.set('rows', String(options.rows))
  for (const part of options.command) query.append('command', part)
  const path = `${place}?${query}`
  const stream = link.open({ method: 'POST', path, endStream: false, signal: options.signal })
  await answerOf(link, stream, options.signal)
  return {
    frames: guarded(link, stream, decodeFrames(stream), options.signal),
    send: async (frame) => {
      if (stream.writable && !stream.write(encodeFrame(frame))) await drained(stream)
    },
    close: () => cancel(stream),
  }
}

export async function readMetrics(
  link: AgentLink,
  options: SignalOptions & { readonly sinceMs?: number | undefined },
): Promise<MetricsView[]> {
  const path = `/v1/metrics/instances${queryOf({ sinceMs: options.sinceMs })}`
  const { items } = await requestDocument<{ items: MetricsView[] }>(link, { method: 'GET', path, ...options })
  return items
}

export const readCores = (link: AgentLink, options: SignalOptions): Promise<CoreReport> =>
  requestDocument<CoreReport>(link, { method: 'GET', path: '/v1/metrics/cores', ...options })

export const readUsage = (link: AgentLink, options: SignalOptions): Promise<UsageReport> =>
  requestDocument<UsageReport>(link, { method: 'GET', path: '/v1/metrics/usage', ...options })

/** Sends the request and the context's tar, yields what the build says. Leaving the loop early cuts the stream: the build is cancelled. */
export async function* runBuild(
  link: AgentLink,
  request: BuildRequest,
  context: AsyncIterable<Uint8Array>,
  options: SignalOptions,
): AsyncGenerator<BuildEvent> {
  const path = `/v1/builds/${encodeURIComponent(request.id)}`
  const stream = link.open({ method: 'POST', path, endStream: false, signal: options.signal })
  const sending = pipeline(withFirstLine(request, context), stream, { end: true })
  // The agent may answer with an error and stop reading; then the answer counts, not the broken upload.
  sending.catch(() => undefined)
  let ended = false
  for await (const event of documentsOf<BuildEvent>(link, stream, options)) {
    ended ||= event.type !== 'output'
    yield event
  }
  if (ended) return
  throw new BerthError('build.interrupted', `node ${link.node} ended build ${request.id} without a result`, {
    retryable: true,
  })
}

export const cancelBuild = async (link: AgentLink, id: string, options: SignalOptions): Promise<void> => {
  await requestDocument(link, { method: 'DELETE', path: `/v1/builds/${encodeURIComponent(id)}`, ...options })
}

/** `missing`: pulled when it is not there. `always`: also when it is. `never`: not at all. */
export type PullPolicy = ResolveImageRequest['pull']

export interface ResolveOptions extends SignalOptions {
  readonly pull?: PullPolicy
  /** At the image's registry. */
  readonly login?: NonNullable<ResolveImageRequest['login']>
}

/** The image's id on that node. Throws `engine.image-missing` when it is not there after that. */
export async function resolveImage(link: AgentLink, image: string, options: ResolveOptions): Promise<string> {
  const { pull = 'missing', login, signal } = options
  const body: ResolveImageRequest = { image, pull, ...(login === undefined ? {} : { login }) }
  const request = { method: 'POST' as const, path: '/v1/images/resolve', body, signal }
  return (await requestDocument<{ image: string }>(link, request)).image
}

export interface CopyOptions extends SignalOptions {
  /** What every piece of it goes through. */
  readonly pass?: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>
}

/** `docker save` of one node into `docker load` of another, without a copy in between. */
export async function copyImage(from: AgentLink, to: AgentLink, image: string, options: CopyOptions): Promise<string> {
  const path = `/v1/images/${encodeURIComponent(image)}/archive`
  const source = from.open({ method: 'GET', path, endStream: true, signal: options.signal })
  await answerOf(from, source, options.signal)
  const target = to.open({ method: 'PUT', path: '/v1/images', endStream: false, signal: options.signal })
  const { pass = (chunks: AsyncIterable<Uint8Array>) => chunks } = options
  const sending = pipeline(pass(guarded(from, source, source, options.signal)), target, { end: true })
  sending.catch(() => undefined)
  const [received] = await Promise.allSettled([readDocument<{ image: string }>(to, target, options)])
  // Who has answered reads no more, and then the rest can never be sent.
  cancel(source)
  cancel(target)
  const [sent] = await Promise.allSettled([sending])
  // A broken source breaks the target too, and so says more; otherwise the target's answer tells why the upload was cut.
  if (sent.status === 'rejected' && sent.reason instanceof BerthError) throw sent.reason
  if (received.status === 'rejected') throw received.reason
  return received.value.image
}

/** Those of them that answer this node. */
export const reachFrom = async (
  link: AgentLink,
  targets: readonly ReachTarget[],
  options: SignalOptions,
): Promise<readonly ReachTarget[]> => {
  const request = { method: 'POST' as const, path: '/v1/reach', body: { targets }, ...options }
  return (await requestDocument<{ answered: ReachTarget[] }>(link, request)).answered
}

/** Units of work that one of its cores does in a second. */
export const measureSpeed = async (link: AgentLink, options: SignalOptions): Promise<number> => {
  const request = { method: 'POST' as const, path: '/v1/speed', body: {}, ...options }
  return (await requestDocument<{ unitsPerSecond: number }>(link, request)).unitsPerSecond
}

/** False when it runs that very executable already. */
export async function sendExecutable(
  link: AgentLink,
  { version, sha256 }: { readonly version: string; readonly sha256: string },
  body: Readable,
  options: SignalOptions,
): Promise<boolean> {
  const path = `/v1/executable${queryOf({ version, sha256 })}`
  const stream = link.open({ method: 'PUT', path, endStream: false, signal: options.signal })
  const sending = pipeline(body, stream, { end: true })
  // The agent may answer and stop reading; then the answer counts, not the broken upload.
  sending.catch(() => undefined)
  return (await readDocument<{ started: boolean }>(link, stream, options)).started
}

/** A new key's request, and the certificate that the node has. */
export const requestCertificate = async (link: AgentLink, options: SignalOptions): Promise<CertificateRequest> =>
  await requestDocument(link, { method: 'POST', path: '/v1/certificate/request', body: {}, ...options })

/** Resolves when the node has it on disk. */
export const deliverCertificate = async (
  link: AgentLink,
  body: CertificateDelivery,
  options: SignalOptions,
): Promise<void> => {
  await requestDocument(link, { method: 'PUT', path: '/v1/certificate', body, ...options })
}

/** What a node configuration would change there. */
export const planConfig = async (
  link: AgentLink,
  config: NodeConfig,
  options: SignalOptions,
): Promise<AgentConfigPlan> =>
  await requestDocument(link, { method: 'POST', path: '/v1/config/plan', body: { config }, ...options })

/** Resolves when the node has written it down. */
export const orderConfig = async (link: AgentLink, body: ConfigOrder, options: SignalOptions): Promise<void> => {
  await requestDocument(link, { method: 'PUT', path: '/v1/config', body, ...options })
}

/** One document for another. */
export async function requestDocument<T>(
  link: AgentLink,
  request: SignalOptions & {
    readonly method: RequestOptions['method']
    readonly path: string
    readonly body?: unknown
  },
): Promise<T> {
  const { method, path, body, signal } = request
  const stream = link.open({ method, path, endStream: body === undefined, signal })
  if (body !== undefined) stream.end(JSON.stringify(body))
  return await readDocument<T>(link, stream, { signal })
}

async function readDocument<T>(link: AgentLink, stream: ClientHttp2Stream, { signal }: SignalOptions): Promise<T> {
  await answerOf(link, stream, signal)
  let text = ''
  for await (const line of guarded(link, stream, readBoundedLines(stream, maxDocumentBytes), signal)) text += line
  return (text === '' ? {} : JSON.parse(text)) as T
}

async function* documentsOf<T>(
  link: AgentLink,
  stream: ClientHttp2Stream,
  { signal }: SignalOptions,
): AsyncGenerator<T> {
  try {
    await answerOf(link, stream, signal)
    for await (const line of guarded(link, stream, readBoundedLines(stream, maxLineBytes), signal)) {
      if (line !== '') yield JSON.parse(line) as T
    }
  } finally {
    cancel(stream)
  }
}

/** Does nothing to a stream that has ended. */
const cancel = (stream: ClientHttp2Stream): void => stream.close(constants.NGHTTP2_CANCEL)

/**
 * Items read from a stream, where a break says what a caller can act on. A stream that was cut may just end, as Node has it; only its
 * reset code, or its session, tells.
 */
async function* guarded<T>(
  link: AgentLink,
  stream: ClientHttp2Stream,
  items: AsyncIterable<T>,
  signal?: AbortSignal,
): AsyncGenerator<T> {
  try {
    yield* items
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`it was reset with code ${stream.rstCode}`)
    link.requireOpen()
  } catch (error) {
    throw failureOf(link, error, signal)
  }
  signal?.throwIfAborted()
}

async function* withFirstLine(request: BuildRequest, context: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${JSON.stringify(request)}\n`)
  yield* context
}

async function drained(stream: ClientHttp2Stream): Promise<void> {
  await Promise.race([once(stream, 'drain'), once(stream, 'close')])
}

function queryOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, String(value))
  return query.size === 0 ? '' : `?${query}`
}
