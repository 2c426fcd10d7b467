import { decodeExecFrame, type ExecChannel, type ExecSize, encodeExecFrame, execChannel } from '@berth/api/exec-frames'
import { BerthError, messageOf } from '@berth/core'
import type { ExecRequest, ExecSession } from '../engine/engine.ts'
import { startHostCommand } from '../node/host-command.ts'
import { type AgentRequest, numberIn } from './agent-request.ts'
import type { LinkServices } from './link-services.ts'
import { readFrames, withLength, write } from './stream-io.ts'

/** A command in an instance's container. When the stream breaks, the command is ended. */
export async function serveExec(services: LinkServices, request: AgentRequest, instance: string): Promise<void> {
  await services.logs.looked(instance)
  const containerId = containerOf(services, instance)
  await using session = await services.engine.exec(containerId, execRequest(request.query), { signal: request.signal })
  await relay(session, request)
}

/** The same on the node itself. */
export async function serveHostExec({ node }: LinkServices, request: AgentRequest): Promise<void> {
  await using session = await startHostCommand(node, execRequest(request.query))
  await relay(session, request)
}

async function relay(session: ExecSession, { stream, signal }: AgentRequest): Promise<void> {
  stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' })
  const input = takeInput(stream, session).catch(() => undefined)
  const send = (channel: ExecChannel, payload: Uint8Array): Promise<void> =>
    write(stream, withLength(encodeExecFrame(channel, payload)))
  const ended = abortOf(signal)
  try {
    const code = await Promise.race([giveOutput(session, send), ended.promise])
    await send(execChannel.exit, Buffer.from(JSON.stringify({ code })))
  } catch (error) {
    if (signal.aborted) return
    await send(execChannel.error, Buffer.from(messageOf(error)))
  } finally {
    ended.stop()
    stream.end()
  }
  await input
}

function containerOf(services: LinkServices, instance: string): string {
  const status = services.logs.status(instance)
  if (status === undefined) {
    throw new BerthError('instance.not-found', `run a command in ${instance}: this node does not run it`)
  }
  if (status.containerId !== undefined && status.pid !== undefined) return status.containerId
  throw new BerthError(
    'instance.not-running',
    `run a command in ${instance}: its container does not run now${status.message === undefined ? '' : ` (${status.message})`}`,
  )
}

function execRequest(query: URLSearchParams): ExecRequest {
  const command = query.getAll('command')
  if (command.length === 0) throw new BerthError('request.invalid-request', 'the command is missing')
  const columns = numberIn(query, 'columns')
  const rows = numberIn(query, 'rows')
  return {
    command,
    tty: query.get('tty') === 'true',
    stdin: true,
    ...(columns === undefined || rows === undefined ? {} : { size: { columns, rows } }),
  }
}

async function giveOutput(
  session: ExecSession,
  send: (channel: ExecChannel, payload: Uint8Array) => Promise<void>,
): Promise<number> {
  for await (const { stream, data } of session.output) {
    await send(stream === 'stdout' ? execChannel.stdout : execChannel.stderr, data)
  }
  return session.exitCode()
}

async function takeInput(source: AsyncIterable<Uint8Array>, session: ExecSession): Promise<void> {
  for await (const frame of readFrames(source)) {
    const { channel, payload } = decodeExecFrame(frame)
    if (channel === execChannel.stdin) await session.write(payload)
    else if (channel === execChannel.stdinEnd) session.endInput()
    else if (channel === execChannel.resize) await session.resize(JSON.parse(payload.toString()) as ExecSize)
  }
  session.endInput()
}

function abortOf(signal: AbortSignal): { readonly promise: Promise<never>; readonly stop: () => void } {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  promise.catch(() => undefined)
  return { promise, stop: () => signal.removeEventListener('abort', abort) }
}
