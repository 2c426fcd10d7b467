import {
  type Client,
  clusterHeaders,
  createClient,
  laterRevision,
  parseRevision,
  type TransportRequest,
  type TransportResponse,
} from '@berth/api'
import type { Memory } from './context-memory.ts'
import { type ActiveContext, type Contexts, endpointsOf, environmentContext } from './contexts.ts'
import { Failover } from './failover.ts'
import { type Endpoint, placeOf } from './transports.ts'

/** A client of a context's cluster, whichever of its servers answers. What it learns on the way is there for the next command. */
export function openClient(
  contexts: Contexts,
  active: ActiveContext,
  warn: (text: string) => void,
): { readonly client: Client; readonly servers: Failover } {
  const endpoints = endpointsOf(active.context)
  const isKept = active.name !== environmentContext && endpoints[0]?.type === 'tls'
  const memory = isKept && endpoints.length > 1 ? contexts.memory.of(active.name) : {}
  const learner = new Learner({ contexts, active, memory, isKept, warn })
  const servers = new Failover({
    endpoints,
    onAnswer: (endpoint, request, response) => learner.onAnswer(servers, endpoint, request, response),
  })
  const last = endpoints.find((endpoint) => placeOf(endpoint) === memory.answered)
  if (last !== undefined) servers.answered(last)
  return { client: createClient(servers.transport, { seen: memory.written }), servers }
}

interface LearnerOptions {
  readonly contexts: Contexts
  readonly active: ActiveContext
  readonly memory: Memory
  /** Whether what is learned has a place to be written down. */
  readonly isKept: boolean
  readonly warn: (text: string) => void
}

/** Takes from answers what they say about the cluster. */
class Learner {
  readonly #options: LearnerOptions
  #memory: Memory
  #told: string | undefined
  #isWarned = false

  constructor(options: LearnerOptions) {
    this.#options = options
    this.#memory = options.memory
  }

  onAnswer(servers: Failover, endpoint: Endpoint, request: TransportRequest, response: TransportResponse): void {
    this.#warnOfAge(endpoint, response)
    if (endpoint.type === 'socket') return
    this.#learnServers(servers, response.header?.(clusterHeaders.servers))
    if (this.#options.isKept && servers.endpoints.length > 1) this.#remember(placeOf(endpoint), request, response)
  }

  #warnOfAge(endpoint: Endpoint, response: TransportResponse): void {
    const age = response.header?.(clusterHeaders.stateAge)
    if (age === undefined || this.#isWarned) return
    this.#isWarned = true
    this.#options.warn(`the server at ${placeOf(endpoint)} is cut off from its store: what it shows is ${age} s old`)
  }

  #learnServers(servers: Failover, told: string | undefined): void {
    if (told === undefined || told === this.#told) return
    this.#told = told
    const { contexts, active, isKept } = this.#options
    const addresses = told.split(' ').filter((each) => each !== '')
    const known = new Set(servers.endpoints.map(placeOf))
    const news = endpointsOf({ ...active.context, learned: addresses }).filter((each) => !known.has(placeOf(each)))
    if (news.length === 0) return
    servers.add(news)
    if (isKept) contexts.learnServers(active.name, addresses)
  }

  #remember(place: string, { method }: TransportRequest, response: TransportResponse): void {
    const heard = method === 'GET' ? undefined : parseRevision(response.header?.(clusterHeaders.revision))
    const { answered, written } = this.#memory
    const next = heard === undefined ? written : laterRevision(written, heard)
    if (answered === place && next === written) return
    this.#memory = { answered: place, ...(next === undefined ? {} : { written: next }) }
    this.#options.contexts.memory.put(this.#options.active.name, this.#memory)
  }
}
