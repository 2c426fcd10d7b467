import { type Client, clusterHeaders, createClient, parseRevision, type Transport } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Identity } from '../auth/identity.ts'
import { parseListenAddress } from '../http/listen-address.ts'
import type { Role } from '../leadership/index.ts'
import type { State } from '../records/index.ts'
import { nextChange } from './next-change.ts'
import { type RelayPass, relayHeader } from './relay-pass.ts'
import { createRelayTransport } from './relay-transport.ts'

export interface RelayOptions {
  readonly state: State
  /** This server's name. */
  readonly name: string
  readonly isAlone: boolean
  readonly pass: RelayPass
  readonly authorityPem: () => string
}

/** A succession is over by then. */
const patienceMs = 6_000

/** Asks another server, in a caller's name, for what only that one has. */
export class Relay {
  readonly #options: RelayOptions

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /** Another server of the cluster, up or not. */
  isAnother(server: string): boolean {
    return !this.#options.isAlone && server !== this.#options.name
  }

  /**
   * The leader's client; undefined where this server leads. Throws `server.relay-failed` when nobody does, or when another server has
   * passed the call on to this one already.
   */
  async toLeader(role: Role, identity: Identity, signal: AbortSignal): Promise<Client | undefined> {
    const { isAlone, name } = this.#options
    if (isAlone) return undefined
    const leader = await this.#leaderOf(role, signal)
    if (leader === name) return undefined
    if (identity.relayedBy !== undefined)
      throw failed(`server ${identity.relayedBy} took ${name} for the leader of ${role}, which is ${leader} now`)
    return this.to(leader, identity)
  }

  /** Throws `server.relay-failed` when it is not up, or has no API that can be reached. */
  to(server: string, identity: Identity): Client {
    const { state, name, pass, authorityPem } = this.#options
    const address = state.members.get(server)?.apiAddress
    if (address === undefined)
      throw failed(
        state.members.has(server)
          ? `server ${server} has what is asked for and no API port: start it with --listen`
          : `server ${server} has what is asked for and is not up`,
      )
    const transport = createRelayTransport({
      ...{ server, address: parseListenAddress(address), authorityPem: authorityPem() },
      sign: (call) => ({ [relayHeader]: pass.issue(identity, name, call) }),
    })
    return createClient(this.#inStep(transport))
  }

  /** What was written there is known here before the caller hears of it. */
  #inStep(transport: Transport): Transport {
    const { state } = this.#options
    return async (request) => {
      const response = await transport(request)
      const { revision = 0 } = parseRevision(response.header?.(clusterHeaders.revision)) ?? {}
      const timeUp = AbortSignal.timeout(patienceMs)
      // A caller that needs it says so by itself, and is told.
      await state.waitFor(revision, { signal: timeUp }).catch(() => undefined)
      return response
    }
  }

  async #leaderOf(role: Role, signal: AbortSignal): Promise<string> {
    const { state } = this.#options
    const timeUp = AbortSignal.timeout(patienceMs)
    const either = AbortSignal.any([signal, timeUp])
    for (;;) {
      const leader = state.leaders.get(role)?.server
      if (leader !== undefined && state.members.has(leader)) return leader
      signal.throwIfAborted()
      if (timeUp.aborted) throw failed(`nobody leads ${role} just now`)
      await nextChange(state, ({ kind }) => kind === 'leaders' || kind === 'members', either)
    }
  }
}

const failed = (why: string): BerthError =>
  new BerthError(
    'server.relay-failed',
    `pass the call on: ${why}; try again in a moment, \`berth server ls\` shows who leads`,
    {
      retryable: true,
    },
  )
