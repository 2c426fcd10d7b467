import type { Transport, TransportRequest, TransportResponse } from '@berth/api'
import { BerthError } from '@berth/core'
import { createTransport, type Endpoint, isNotSent, placeOf } from './transports.ts'

/** A server that does not take a connection is passed over after so long, if there is another. */
const connectWithinMs = 3_000

export interface FailoverOptions {
  /** Servers of one cluster. */
  readonly endpoints: readonly Endpoint[]
  readonly onAnswer?: (endpoint: Endpoint, request: TransportRequest, response: TransportResponse) => void
}

/**
 * Asks the server that answered last, and the next when it does not answer: a read at once, anything else only when it did not arrive, or
 * was refused by a server that can do nothing just now.
 */
export class Failover {
  readonly #options: FailoverOptions
  readonly #transports = new Map<Endpoint, Transport>()
  #order: readonly Endpoint[]

  constructor(options: FailoverOptions) {
    this.#options = options
    this.#order = options.endpoints
  }

  /** In the order in which they are asked: the one that answered last first. */
  get endpoints(): readonly Endpoint[] {
    return this.#order
  }

  readonly transport: Transport = async (request) => {
    const failures: Failure[] = []
    const order = this.#order
    for (const endpoint of order) {
      const isLast = failures.length === order.length - 1
      const outcome = await this.#ask(endpoint, request, isLast)
      if (!('failure' in outcome)) {
        this.answered(endpoint)
        this.#options.onAnswer?.(endpoint, request, outcome)
        return outcome
      }
      failures.push({ endpoint, failure: outcome.failure })
      if (isLast || !outcome.mayGoOn) break
    }
    throw summed(failures)
  }

  /** Servers that one of the others told of. */
  add(endpoints: readonly Endpoint[]): void {
    this.#order = [...this.#order, ...endpoints]
  }

  /** From now on it is asked first, then those behind it. */
  answered(endpoint: Endpoint): void {
    const at = this.#order.indexOf(endpoint)
    if (at > 0) this.#order = [...this.#order.slice(at), ...this.#order.slice(0, at)]
  }

  async #ask(endpoint: Endpoint, request: TransportRequest, isLast: boolean): Promise<TransportResponse | Refusal> {
    try {
      const response = await this.#transportOf(endpoint)(request)
      return isLast || response.status !== 503 || !canBeSentAgain(request) ? response : await refusalOf(response)
    } catch (failure) {
      const mayGoOn = request.signal?.aborted !== true && (isNotSent(failure) || request.method === 'GET')
      return { failure, mayGoOn }
    }
  }

  #transportOf(endpoint: Endpoint): Transport {
    const isOneOfMany = this.#order.length > 1
    // Whoever is the only one may take as long as the system lets it.
    if (!isOneOfMany) return createTransport(endpoint)
    const made = this.#transports.get(endpoint) ?? createTransport(endpoint, { connectWithinMs })
    this.#transports.set(endpoint, made)
    return made
  }
}

interface Failure {
  readonly endpoint: Endpoint
  readonly failure: unknown
}

interface Refusal {
  readonly failure: unknown
  readonly mayGoOn: boolean
}

/** A stream of bytes is used up by the first who reads it. */
const canBeSentAgain = ({ body }: TransportRequest): boolean => body === undefined || typeof body === 'string'

/** Refusals that say something about the server that was asked, and that nothing was done. */
const isAboutServer = (code: string): boolean =>
  /^(server\.(stopping|relay-failed)|store\.unavailable|state\.(behind|closed)|leadership\.over)$/.test(code)

/** The same answer, unless another server may have a better one. */
async function refusalOf(response: TransportResponse): Promise<TransportResponse | Refusal> {
  const parts: Uint8Array[] = []
  for await (const part of response.body) parts.push(part)
  const whole = Buffer.concat(parts)
  try {
    const { code, message, retryable, details } = JSON.parse(whole.toString()).error
    if (retryable === true && isAboutServer(code))
      return { failure: new BerthError(code, message, { retryable, details }), mayGoOn: true }
  } catch {
    // Not an error document of Berth's: the client says what it is.
  }
  const body = (async function* () {
    yield whole
  })()
  return { ...response, body }
}

function summed(failures: readonly Failure[]): unknown {
  const [first] = failures
  if (failures.length === 1 || first === undefined) return first?.failure
  const reasons = failures.map(({ endpoint, failure }) =>
    failure instanceof BerthError ? (failure.details.reason ?? failure.message) : `${placeOf(endpoint)}: ${failure}`,
  )
  const wasReached = failures.find(({ failure }) => !isNotSent(failure))?.failure
  const code = wasReached instanceof BerthError ? wasReached.code : 'server.unreachable'
  const list = failures.map(({ endpoint }, at) => `\n  ${placeOf(endpoint)}: ${reasons[at]}`).join('')
  return new BerthError(code, `none of ${failures.length} servers could answer:${list}`, {
    retryable: true,
    cause: wasReached ?? first.failure,
  })
}
