import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, messageOf, type NodeCheck } from '@berth/core'
import { type Ran, runHere } from './host-run.ts'
import type { KindOptions } from './item-kind.ts'

export interface GateOptions {
  readonly ping: (options: KindOptions) => Promise<void>
  readonly isEngineUp: () => boolean
  /** Instances that are ready now, and those that need not be: nobody wants them to run any more. */
  readonly readiness: () => { readonly ready: readonly string[]; readonly wanted: ReadonlySet<string> }
  /** When a server was heard last, by the monotonic clock. */
  readonly heardAt: () => number
}

export interface GateRequest extends KindOptions {
  readonly ready: readonly string[]
  readonly checks: readonly NodeCheck[]
  readonly withinMs: number
  /** A server has to be heard since. */
  readonly mustHear: boolean
}

const lookMs = 250
const checkAgainMs = 500
/** What is well for so long counts as well. */
const steadyMs = 1000

/** Waits for the node to be as well as it was before a change. Throws `configuration.not-well` with what is not. */
export class HealthGate {
  readonly #options: GateOptions

  constructor(options: GateOptions) {
    this.#options = options
  }

  get ready(): readonly string[] {
    return this.#options.readiness().ready
  }

  async pass(request: GateRequest): Promise<void> {
    const { withinMs, checks, signal } = request
    const begun = performance.now()
    const deadline = begun + withinMs
    await this.#untilWell(request, begun, deadline)
    for (const check of checks) await untilItSucceeds(check, deadline, signal)
  }

  async #untilWell(request: GateRequest, begun: number, deadline: number): Promise<void> {
    let wellSince: number | undefined
    for (;;) {
      const trouble = await this.#trouble(request, begun)
      const now = performance.now()
      wellSince = trouble === undefined ? (wellSince ?? now) : undefined
      if (wellSince !== undefined && now - wellSince >= steadyMs) return
      if (trouble !== undefined && now > deadline)
        throw new BerthError('configuration.not-well', `${trouble}, ${request.withinMs / 1000} s after the changes`)
      await delay(lookMs, undefined, { signal: request.signal })
    }
  }

  async #trouble({ ready, mustHear, signal }: GateRequest, begun: number): Promise<string | undefined> {
    const { ping, isEngineUp, readiness, heardAt } = this.#options
    try {
      await ping({ signal })
    } catch (error) {
      signal.throwIfAborted()
      return `dockerd does not answer (${messageOf(error)})`
    }
    if (!isEngineUp()) return 'the agent is not connected to dockerd'
    const now = readiness()
    const lost = ready.filter((each) => now.wanted.has(each) && !now.ready.includes(each))
    if (lost.length > 0) return `${lost.slice(0, 5).join(', ')} ${lost.length === 1 ? 'is' : 'are'} not ready any more`
    return mustHear && heardAt() < begun ? 'no server is heard' : undefined
  }
}

async function untilItSucceeds(
  { command, timeoutMs }: NodeCheck,
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const ran = await runHere(command, { timeoutMs, signal }).catch((error: unknown): Ran => {
      if (!(error instanceof BerthError)) throw error
      return { code: 127, stdout: '', tail: [error.message] }
    })
    if (ran.code === 0) return
    if (performance.now() > deadline)
      throw new BerthError('configuration.not-well', `the check ${command.join(' ')} ended with ${ran.code}`, {
        details: { logTail: ran.tail },
      })
    await delay(checkAgainMs, undefined, { signal })
  }
}
