import { clusterHeaders, formatRevision, parseRevision } from '@berth/api'
import { BerthError } from '@berth/core'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { State } from '../records/index.ts'
import type { ServersInfo } from './services.ts'

export interface InStepOptions {
  readonly state: State
  readonly servers: ServersInfo
  /** How long a caller waits for what it has seen elsewhere. */
  readonly patienceMs?: number
}

const defaultPatienceMs = 5_000
/** The store is asked several times a second: whoever has heard nothing for so long is cut off from it. */
const cutOffMs = 2_000

/**
 * A caller that goes from server to server reads what it has written and seen before: answers say how far this server's records are, and
 * a call that says how far they have to be waits for it. Who is not alone also tells where the others are, and how old its records are
 * when the store does not answer.
 */
export function keepInStep(app: FastifyInstance, options: InStepOptions): void {
  const { state, servers } = options
  app.addHook('preHandler', async (request, reply) => {
    const wanted = request.headers[clusterHeaders.revision]
    if (typeof wanted === 'string') await reach(wanted, options)
    // For streams, whose head is sent at once.
    tellRevision(reply, state)
    if (!servers.isAlone) tellOfOthers(reply, state, servers)
  })
  app.addHook('onSend', async (_request, reply) => tellRevision(reply, state))
}

const tellRevision = (reply: FastifyReply, { revision, epoch }: State): void =>
  void reply.header(clusterHeaders.revision, formatRevision({ revision, epoch }))

/** Throws `state.behind`. */
async function reach(text: string, { state, servers, patienceMs = defaultPatienceMs }: InStepOptions): Promise<void> {
  const wanted = parseRevision(text)
  if (wanted === undefined)
    throw new BerthError(
      'request.invalid',
      `the header Berth-Revision is "${text.slice(0, 100)}": send it as an answer gave it, like 1234; epoch=…`,
    )
  // What was seen in another store's history, as before a restore, will never come.
  const isAnothers = wanted.epoch !== undefined && wanted.epoch !== state.epoch
  if (isAnothers || wanted.revision <= state.revision) return
  const timeUp = AbortSignal.timeout(patienceMs)
  try {
    await state.waitFor(wanted.revision, { signal: timeUp })
  } catch (error) {
    if (!timeUp.aborted) throw error
    throw new BerthError(
      'state.behind',
      `server ${servers.name} has the records up to revision ${state.revision}, and revision ${wanted.revision} was seen before; try again, or ask another server (\`berth server ls\`)`,
      { retryable: true, details: { server: servers.name, revision: state.revision, wanted: wanted.revision } },
    )
  }
}

function tellOfOthers(reply: FastifyReply, state: State, servers: ServersInfo): void {
  const addresses = [...state.members.values()].flatMap(({ apiAddress }) => apiAddress ?? [])
  if (addresses.length > 0) reply.header(clusterHeaders.servers, addresses.sort().join(' '))
  const silentMs = servers.silentMs()
  if (silentMs > cutOffMs) reply.header(clusterHeaders.stateAge, String(Math.round(silentMs / 1000)))
}
