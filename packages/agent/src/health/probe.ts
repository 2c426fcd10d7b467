import { request } from 'node:http'
import { connect } from 'node:net'
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
    }
  }
}

const success: ProbeResult = { type: 'success' }
const failure = (message: string): ProbeResult => ({ type: 'failure', message })

/** Any answer from 200 to 399 is good; a redirect is not followed. */
function probeHttp(
  check: Extract<ProbeCheck, { type: 'http' }>,
  address: string,
  { timeoutMs, signal }: ProbeOptions,
): Promise<ProbeResult> {
  const host = address.includes(':') ? `[${address}]` : address
  const what = `GET http://${host}:${check.port}${check.path}`
  return new Promise((resolve) => {
    const headers = { Host: check.host ?? `${host}:${check.port}`, 'User-Agent': 'berth-probe', Connection: 'close' }
    try {
      const req = request({ host: address, port: check.port, path: check.path, headers, agent: false, signal })
      const timer = setTimeout(() => req.destroy(new TimeUp(timeoutMs)), timeoutMs)
      req.once('close', () => clearTimeout(timer))
      req.once('response', (response) => {
        const status = response.statusCode ?? 0
        response.destroy()
        resolve(status >= 200 && status < 400 ? success : failure(`${what} answered ${status}`))
      })
      // Stays for errors after the answer, which say nothing any more.
      req.on('error', (error) => resolve(failure(`${what} ${describe(error)}`)))
      req.end()
    } catch (error) {
      resolve(failure(`${what} cannot be asked: ${messageOf(error)}`))
    }
  })
}

function probeTcp(port: number, address: string, { timeoutMs, signal }: ProbeOptions): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, signal })
    const timer = setTimeout(() => socket.destroy(new TimeUp(timeoutMs)), timeoutMs)
    const settle = (result: ProbeResult): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    socket.once('connect', () => settle(success))
    socket.on('error', (error) => settle(failure(`TCP ${address}:${port} ${describe(error)}`)))
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
