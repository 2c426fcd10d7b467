import { type BgpSession, sessionName } from '@berth/core'
import type { BirdProtocol } from './bird-report.ts'

/** So long a session may take to come about before anybody is told. */
const graceMs = 15_000
const namedAtMost = 4

export interface SessionState {
  readonly session: BgpSession
  readonly isUp: boolean
  readonly since: number
  readonly why?: string
}

/** How a node's sessions are, and since when: BIRD begins anew to count with every attempt that its peer refuses. */
export class SessionWatch {
  readonly #downSince = new Map<string, number>()
  #states: readonly SessionState[] = []

  get states(): readonly SessionState[] {
    return this.#states
  }

  note(sessions: readonly BgpSession[], protocols: readonly BirdProtocol[], now: number): void {
    const byName = new Map(protocols.map((each) => [each.name, each]))
    const names = new Set(sessions.map(sessionName))
    for (const name of this.#downSince.keys()) if (!names.has(name)) this.#downSince.delete(name)
    this.#states = sessions.map((session) => this.#stateOf(session, byName.get(sessionName(session)), now))
  }

  /** BIRD does not run. */
  forget(): void {
    this.#states = []
    this.#downSince.clear()
  }

  problems(now: number): string[] {
    const down = this.#states.filter(({ isUp, since }) => !isUp && now - since >= graceMs)
    const sentences = down.slice(0, namedAtMost).map(sentenceOf)
    const more = down.length - sentences.length
    return more === 0 ? sentences : [...sentences, `${more} more BGP sessions are down; see: berth net routes`]
  }

  #stateOf(session: BgpSession, protocol: BirdProtocol | undefined, now: number): SessionState {
    const name = sessionName(session)
    if (protocol?.isUp === true) {
      this.#downSince.delete(name)
      return { session, isUp: true, since: protocol.since }
    }
    const since = this.#downSince.get(name) ?? protocol?.since ?? now
    this.#downSince.set(name, since)
    const why = protocol?.lastError ?? protocol?.state
    return { session, isUp: false, since, ...(why === undefined || why === '' ? {} : { why }) }
  }
}

function sentenceOf({ session, since, why }: SessionState): string {
  const who = session.with === 'node' ? `node ${session.name}` : `router ${session.name}`
  const at = new Date(since).toISOString().replace(/\.\d+Z$/, 'Z')
  return `no BGP session with ${who} (${session.address}) since ${at}${why === undefined ? '' : `: ${why}`}`
}
