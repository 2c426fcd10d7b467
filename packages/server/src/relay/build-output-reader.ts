import type { LogLine } from '@berth/api'
import { BerthError, type Build, messageOf } from '@berth/core'
import type { Identity } from '../auth/identity.ts'
import type { State } from '../records/index.ts'
import { nextChange } from './next-change.ts'
import type { Relay } from './relay.ts'

/** What this server has on its own disk. */
export interface LocalOutputs {
  tail(
    id: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal; readonly hasEnded: () => boolean },
  ): AsyncIterable<LogLine>
}

export interface ReadOptions {
  readonly follow: boolean
  readonly signal: AbortSignal
  readonly identity: Identity
}

export interface BuildOutputReaderOptions {
  readonly state: State
  readonly relay: Relay
  readonly outputs: LocalOutputs
}

/** Output of builds, whichever server runs them: it lies on that one's disk. */
export class BuildOutputReader {
  readonly #options: BuildOutputReaderOptions

  constructor(options: BuildOutputReaderOptions) {
    this.#options = options
  }

  /** With `follow`, until the build ends, also when another server has to run it anew. */
  async *read(id: string, options: ReadOptions): AsyncGenerator<LogLine> {
    const { state } = this.#options
    let lost: Build | undefined
    for (;;) {
      const build = await this.#begun(id, options, lost)
      if (build === undefined) return
      if (lost !== undefined) yield says(`server ${lost.server} went away; the build goes on at server ${build.server}`)
      try {
        return yield* this.#readAt(build, options)
      } catch (error) {
        if (!isRelayFailure(error)) throw error
        if (!options.follow) return yield* lastWords(build, error)
        lost = build
      }
      const now = state.builds.get(id)
      if (now === undefined || hasEnded(now)) return yield* lastWords(now ?? build, undefined)
    }
  }

  async *#readAt(build: Build, { follow, signal, identity }: ReadOptions): AsyncGenerator<LogLine> {
    const { relay, outputs, state } = this.#options
    const { id, server } = build
    if (server === undefined || !relay.isAnother(server) || identity.relayedBy !== undefined) {
      const hasEndedNow = (): boolean => hasEnded(state.builds.get(id))
      return yield* outputs.tail(id, { follow, signal, hasEnded: hasEndedNow })
    }
    const query = follow ? { follow: 'true' } : {}
    yield* relay.to(server, identity).lines('getBuildOutput', { params: { id }, query }, { signal })
  }

  /** Once a server has taken it up, and another than the lost one. undefined: the caller has left, or it is gone. */
  async #begun(id: string, { follow, signal, identity }: ReadOptions, lost?: Build): Promise<Build | undefined> {
    const { state } = this.#options
    for (;;) {
      const build = state.builds.get(id)
      if (build === undefined || signal.aborted) return undefined
      // Where it has been queued and the server is alone or was told to look here, the output says when it begins.
      const isTaken = build.server !== undefined && (lost === undefined || isAnotherRun(build, lost))
      if (!follow || isTaken || hasEnded(build) || identity.relayedBy !== undefined) return build
      await nextChange(state, (change) => change.kind === 'builds' && change.id === id, signal)
    }
  }
}

const isAnotherRun = (build: Build, lost: Build): boolean => build.server !== lost.server

const hasEnded = (build: Build | undefined): boolean => build === undefined || build.endedAt !== undefined

const isRelayFailure = (error: unknown): boolean => error instanceof BerthError && error.code === 'server.relay-failed'

const says = (line: string): LogLine => ({ at: Date.now(), stream: 'system', line })

/** What the record has when the server that ran it is gone. */
function* lastWords({ error, server, state }: Build, failure: unknown): Generator<LogLine> {
  const why = failure === undefined ? '' : ` (${messageOf(failure)})`
  yield says(`the output is on server ${server}, which cannot be asked${why}; the build is ${state}`)
  for (const line of error?.logTail ?? []) yield { at: Date.now(), stream: 'stderr', line }
}
