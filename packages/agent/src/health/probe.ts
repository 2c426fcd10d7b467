import { connect, type Socket } from 'node:net'
import type { ProbeCheck } from '@berth/core'
import { messageOf } from '@berth/core'
import type { Engine } from '../engine/engine.ts'
import { runCommand } from '../engine/run-command.ts'

/**
 * `inconclusive` says nothing about the instance (Docker did not answer, so a command could not be run in it): it must neither take it out
 * of traffic nor restart it.
 */
export type ProbeResult =
  | { readonly type: 'success' }
  | { readonly type: 'failure'; readonly message: string }
  | { readonly type: 'inconclusive'; readonly message: string }

export interface ProbeTarget {
  readonly address: string
  readonly containerId: string
}

export interface ProbeOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export type RunProbe = (check: ProbeCheck, target: ProbeTarget, options: ProbeOptions) => Promise<ProbeResult>

/** http and tcp go straight to the container's address; only exec needs the engine. */
export function createProbe(engine: Engine): RunProbe {
  return (check, target, options) => {
    switch (check.type) {
      case 'http':
        return probeHttp(check, target.address, options)
      case 'tcp':
        return probeTcp(check.port, target.address, options)
      case 'exec':
        return probeExec(engine, check.command, target.containerId, options)
      case 'report':
        return Promise.resolve({ type: 'inconclusive', message: 'the program says by itself whether it is ready' })
    }
  }
}

const success: ProbeResult = { type: 'success' }
const failure = (message: string): ProbeResult => ({ type: 'failure', message })

/** The longest beginning of an answer that is looked at for its status. */
const maxHeadBytes = 4_096

/**
 * Any answer from 200 to 399 is good; a redirect is not followed. Spoken by hand: only the first line of the answer counts, and Node's own
 * client costs three times as much, for every instance, again and again.
 */
function probeHttp(
  check: Extract<ProbeCheck, { type: 'http' }>,
  address: string,
  options: ProbeOptions,
): Promise<ProbeResult> {
  const host = `${address.includes(':') ? `[${address}]` : address}:${check.port}`
  const what = `GET http://${host}${check.path}`
  const headers = `Host: ${check.host ?? host}\r\nUser-Agent: berth-probe\r\nAccept: */*\r\nConnection: close`
  if (!isPrintable(check.path) || !isPrintable(check.host ?? '')) {
    return Promise.resolve(
      failure(`${what} cannot be asked: its path and host must be of printable ASCII without spaces`),
    )
  }
  return talk(address, check.port, what, options, (socket, settle) => {
    let head = ''
    socket.once('connect', () => socket.write(`GET ${check.path} HTTP/1.1\r\n${headers}\r\n\r\n`))
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1')
      if (!head.includes('\n') && head.length < maxHeadBytes) return
      const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0)
      if (status === 0) settle(failure(`${what} got an answer that is no HTTP`))
      else settle(status >= 200 && status < 400 ? success : failure(`${what} answered ${status}`))
    })
  })
}

const isPrintable = (text: string): boolean => /^[\x21-\x7e]*$/.test(text)

function probeTcp(port: number, address: string, options: ProbeOptions): Promise<ProbeResult> {
  return talk(address, port, `TCP ${address}:${port}`, options, (socket, settle) => {
    socket.once('connect', () => settle(success))
  })
}

/** One connection, from its opening to a result, an error or the end of the time. */
function talk(
  host: string,
  port: number,
  what: string,
  { timeoutMs, signal }: ProbeOptions,
  speak: (socket: Socket, settle: (result: ProbeResult) => void) => void,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const end = (): void => void socket.destroy()
    const timer = setTimeout(() => socket.destroy(new TimeUp(timeoutMs)), timeoutMs)
    const settle = (result: ProbeResult): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      socket.destroy()
      resolve(result)
    }
    signal.addEventListener('abort', end, { once: true })
    socket.on('error', (error) => settle(failure(`${what} ${describe(error)}`)))
    socket.once('close', () => settle(failure(`${what} closed the connection`)))
    speak(socket, settle)
    if (signal.aborted) end()
  })
}

class TimeUp extends Error {
  constructor(timeoutMs: number) {
    super(`gave no answer within ${timeoutMs / 1000} s`)
  }
}

async function probeExec(
  engine: Engine,
  command: readonly string[],
  containerId: string,
  options: ProbeOptions,
): Promise<ProbeResult> {
  const outcome = await runCommand(engine, containerId, command, options)
  const what = command.join(' ')
  switch (outcome.type) {
    case 'exited':
      if (outcome.code === 0) return success
      return failure(`${what} exited with code ${outcome.code}${outcome.output === '' ? '' : `: ${outcome.output}`}`)
    case 'timed-out':
      return failure(`${what} did not end within ${options.timeoutMs / 1000} s`)
    case 'failed':
      return { type: 'inconclusive', message: messageOf(outcome.error) }
  }
}

const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ECONNRESET: 'closed the connection',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
}

function describe(error: Error): string {
  if (error instanceof TimeUp) return error.message
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return texts[code] ?? `failed: ${error.message}`
}
