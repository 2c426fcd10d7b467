import type { ServerAddress } from '@berth/api'
import { AgentLink, type AgentLinkOptions } from './agent-link.ts'

/** How long none of the servers has to be reached before every address that was ever known is tried. */
const searchAfterMs = 10_000
const knownAtMost = 32

export interface ServerLinksOptions extends Omit<AgentLinkOptions, 'servers' | 'onUp'> {
  /** What the node has joined at: tried in turn while no list of servers is known, or none of it can be reached. */
  readonly joinedAt: readonly ServerAddress[]
  /** As it was told last, and what was told before it. */
  readonly servers: readonly ServerAddress[]
  readonly formerServers: readonly ServerAddress[]
  readonly searchAfterMs?: number
  /** No link is left; noticed within a second. */
  readonly onLost?: () => void
}

/**
 * A link to each server. A server that is alone tells no list: then there is one link, to the address that the node has joined at, as
 * well as when no server of the list can be reached: others may have taken their place while this node was away.
 */
export class ServerLinks implements AsyncDisposable {
  readonly #options: ServerLinksOptions
  readonly #links = new Map<string, AgentLink>()
  readonly #ending = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  /** All that were ever told, as far as that is kept, the last ones first: those that have stopped may be the only ones to come back. */
  #known: readonly ServerAddress[]
  #search: AgentLink | undefined
  #lastUp = performance.now()
  #wasUp = false
  #isClosed = false

  constructor(options: ServerLinksOptions) {
    this.#options = options
    this.#known = distinct([...options.servers, ...options.formerServers])
    const { searchAfterMs: afterMs = searchAfterMs } = options
    this.#timer = setInterval(() => this.#look(afterMs), Math.min(1_000, afterMs / 5))
    this.#timer.unref()
    if (options.servers.length === 0) this.#startSearch()
    else this.update(options.servers)
  }

  get isUp(): boolean {
    return this.#all.some((link) => link.isUp)
  }

  /** The servers that there are now. */
  update(servers: readonly ServerAddress[]): void {
    if (this.#isClosed || servers.length === 0) return
    this.#known = distinct([...servers, ...this.#known]).slice(0, Math.max(servers.length, knownAtMost))
    const wanted = new Map(servers.map((server) => [keyOf(server), server]))
    for (const [key, link] of this.#links) {
      if (wanted.has(key)) continue
      this.#links.delete(key)
      this.#end(link)
    }
    for (const [key, server] of wanted) {
      if (this.#links.has(key)) continue
      this.#links.set(
        key,
        this.#link([server], () => this.#endSearch()),
      )
    }
  }

  /** Gives every present link up for a new one, which begins with a snapshot. */
  redial(): void {
    for (const link of this.#all) link.redial()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const link of this.#all) this.#end(link)
    await Promise.all(this.#ending)
  }

  get #all(): readonly AgentLink[] {
    return [...this.#links.values(), ...(this.#search === undefined ? [] : [this.#search])]
  }

  #look(afterMs: number): void {
    const now = performance.now()
    const isUp = this.isUp
    if (this.#wasUp && !isUp) {
      this.#wasUp = false
      this.#options.onLost?.()
    }
    if (isUp) this.#lastUp = now
    else if (now - this.#lastUp > afterMs) this.#startSearch()
  }

  #startSearch(): void {
    if (this.#isClosed || this.#search !== undefined) return
    this.#search = this.#link(distinct([...this.#options.joinedAt, ...this.#known]))
  }

  #link(servers: readonly ServerAddress[], onUp?: () => void): AgentLink {
    const up = (): void => {
      this.#wasUp = true
      onUp?.()
    }
    return new AgentLink({ ...this.#options, servers, onUp: up })
  }

  /** A link of the list is up. One that was found by searching may lead to the same server. */
  #endSearch(): void {
    const search = this.#search
    this.#search = undefined
    if (search !== undefined) this.#end(search)
  }

  #end(link: AgentLink): void {
    const ending = link[Symbol.asyncDispose]().finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }
}

const distinct = (servers: readonly ServerAddress[]): ServerAddress[] => [
  ...new Map(servers.map((each) => [keyOf(each), each])).values(),
]

const keyOf = ({ host, port }: ServerAddress): string => `${host}:${port}`
